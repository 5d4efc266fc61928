"""A typed tree -> its canonical text. `expression.parse` of that text gives the same tree again."""

from __future__ import annotations

import re
from decimal import Decimal

from fraudline.engine.tree import (
    And,
    Arithmetic,
    Call,
    Compare,
    Current,
    Feature,
    Field,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Or,
    Special,
    Type,
    Window,
)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MIN_SAMPLES = 5  # of stddev and zscore where nothing is said

# How tightly each kind of node binds, loosest first; what binds looser than its place asks for gets parentheses.
_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _ATOM = range(8)
_TIGHTNESS: dict[type[Node], int] = {
    Or: _OR,
    And: _AND,
    Not: _NOT,
    Compare: _COMPARE,
    Member: _COMPARE,
    Negative: _UNARY,
}
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_UNITS_MS = {"s": 1000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def unparse(node: Node) -> str:
    """The canonical text of a tree.

    >>> from fraudline.engine.tree import Field, Not, Type
    >>> unparse(Not(type=Type.BOOLEAN, operand=Field(type=Type.BOOLEAN, name="is_cash")))
    'not is_cash'
    """
    match node:
        case Literal():
            return _literal(node)
        case Field() | Special() | Feature():
            return node.name
        case Current():
            return f"current({node.name})"
        case Or():
            return " or ".join(_held(part, _AND) for part in node.operands)
        case And():
            return " and ".join(_held(part, _NOT) for part in node.operands)
        case Not():
            return f"not {_held(node.operand, _NOT)}"
        case Compare():
            return f"{_held(node.left, _SUM)} {node.op} {_held(node.right, _SUM)}"
        case Member():
            values = node.source or _values(node.values)
            return f"{_held(node.item, _SUM)} {'not in' if node.negated else 'in'} {values}"
        case Arithmetic():
            tightness = _tightness(node)
            return f"{_held(node.left, tightness)} {node.op} {_held(node.right, tightness + 1)}"
        case Negative():
            return f"-{_held(node.operand, _UNARY)}"
        case Call():
            return _call(node)
        case Window():
            return _window(node)
    raise TypeError(f"{type(node).__name__} is no node of a tree")


def _tightness(node: Node) -> int:
    if isinstance(node, Arithmetic):
        return _SUM if node.op in "+-" else _PRODUCT
    if isinstance(node, Literal) and not isinstance(node.value, str) and node.value < 0:
        return _UNARY
    return _TIGHTNESS.get(type(node), _ATOM)


def _held(node: Node, tightness: int) -> str:
    """The node's text, in parentheses where its place binds tighter than it does."""
    return unparse(node) if _tightness(node) >= tightness else f"({unparse(node)})"


def _literal(node: Literal) -> str:
    if isinstance(node.value, bool):
        return str(node.value)
    if isinstance(node.value, str):
        return quoted(node.value)
    if node.type is Type.DURATION:
        return duration(int(node.value))
    return number(Decimal(node.value))


def number(value: Decimal) -> str:
    """An exact number without exponent and without idle zeros."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def quoted(text: str) -> str:
    """A text constant in double quotes, printable."""
    return '"' + "".join(_ESCAPES.get(letter) or _printable(letter) for letter in text) + '"'


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def duration(milliseconds: int) -> str:
    """A duration as an expression writes it: days(90)."""
    units = (("days", DAY_MS), ("hours", HOUR_MS), ("minutes", MINUTE_MS))
    unit, size = next((pair for pair in units if milliseconds % pair[1] == 0), units[-1])
    amount = number(Decimal(abs(milliseconds)) / size)
    return f"{'-' if milliseconds < 0 else ''}{unit}({amount})"


def span(milliseconds: int) -> str:
    """The length of a window as `last=` writes it: 90s, 5m, 24h, 30d."""
    if milliseconds % DAY_MS == 0 and milliseconds > DAY_MS:
        return f"{milliseconds // DAY_MS}d"
    for letter, size in (("h", HOUR_MS), ("m", MINUTE_MS)):
        if milliseconds % size == 0:
            return f"{milliseconds // size}{letter}"
    return f"{milliseconds // 1000}s"


def span_ms(text: str) -> int | None:
    """What such a length is in milliseconds, or None where the text is none.

    >>> span_ms("90s"), span_ms("an hour")
    (90000, None)
    """
    found = _SPAN.fullmatch(text)
    return int(found[1]) * _UNITS_MS[found[2]] if found else None


def _values(values: tuple[Decimal | str, ...]) -> str:
    inside = ", ".join(quoted(value) if isinstance(value, str) else number(value) for value in values)
    return f"({inside},)" if len(values) == 1 else f"({inside})"


def _call(node: Call) -> str:
    arguments = [unparse(argument) for argument in node.arguments]
    if node.table is not None:
        arguments.insert(0, node.table)
    if node.source is not None:
        arguments.append(node.source)
    elif node.values:
        arguments.append(_values(node.values))
    return f"{node.function}({', '.join(arguments)})"


def _window(node: Window) -> str:
    arguments = [node.value] if node.value is not None else []
    arguments.append(f"by={_names(node.by)}")
    if node.of:
        arguments.append(f"of={_names(node.of)}")
    if node.last_ms is not None:
        arguments.append(f'last="{span(node.last_ms)}"')
    if node.this is not None:
        arguments.append(f'this="{node.this}"')
    if node.where is not None:
        arguments.append(f"where={unparse(node.where)}")
    if node.prior:
        arguments.append("prior=True")
    if node.min_samples not in (None, MIN_SAMPLES):
        arguments.append(f"min_samples={node.min_samples}")
    if node.first:
        arguments.append("first=True")
    return f"{node.function}({', '.join(arguments)})"


def _names(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
