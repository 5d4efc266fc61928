"""A bar per goal: how far what was measured reaches towards it, on a scale where 1 is the goal. One SVG, no library."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

from benchmarks.goals import Line

LEFT, WIDTH, ROW = 430, 360, 26
LOWEST, HIGHEST = 0.03, 30.0  # of the goal; what lies beyond is drawn at the edge


def svg(lines: list[Line]) -> str:
    """The picture, as text."""
    shown = [line for line in lines if line.met is not None and line.ratio]
    height = 70 + ROW * len(shown)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 {height}" font-family="sans-serif" font-size="13">',
        "<title>Goals and what was measured</title>",
        f'<rect width="1000" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" fill="#333">measured, as a multiple of the goal (right of the line: met)</text>',
    ]
    for tick in (0.1, 1, 10):
        colour, width = ("#333333", 2) if tick == 1 else ("#cccccc", 1)
        x = _x(tick)
        parts.append(f'<line x1="{x}" x2="{x}" y1="36" y2="{height - 24}" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(f'<text x="{x}" y="{height - 8}" fill="#555" text-anchor="middle">{tick:g} x</text>')
    for number, line in enumerate(shown):
        y = 40 + ROW * number
        one, end = _x(1), _x(line.ratio or 1)
        colour = "#2b7a4b" if line.met else "#b3402a"
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end" fill="#222">{escape(line.what.strip())}</text>'
        )
        bar = f'x="{min(one, end)}" y="{y + 3}" width="{max(2.0, abs(end - one)):.1f}" height="{ROW - 10}"'
        parts.append(f'<rect {bar} fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 10}" y="{y + 15}" fill="#222">{escape(line.measured[:32])}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(ratio: float) -> float:
    inside = min(max(ratio, LOWEST), HIGHEST)
    return round(LEFT + WIDTH * math.log(inside / LOWEST) / math.log(HIGHEST / LOWEST), 1)
