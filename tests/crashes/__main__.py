"""Many crashes: `python -m tests.crashes --rounds 300` (a power cut takes 0.03 s, a killed workspace about 1 s)."""

from __future__ import annotations

import argparse
import sys

from tests.crashes import kills, powercut


def main() -> int:
    """Run and print; 1 where anything was wrong, or where the test with weaker pragmas found nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.crashes", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=300, help="workspaces that are killed; power is cut ten times that"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.rounds)
    wrong = []
    for name, told in (
        ("power cuts, synchronous=FULL", powercut.cut_and_resume(range(given.seed, given.seed + 10 * given.rounds))),
        ("kill -9 at chosen lines", kills.at_places(seeds)),
        ("kill -9 at random moments", kills.at_moments(seeds[: max(1, given.rounds // 10)], rows=12_000)),
    ):
        print(f"{name}: {told}", flush=True)  # noqa: T201 - it is what was asked for
        wrong += told.wrong
    weaker = powercut.cut_and_resume(seeds, pragmas=("PRAGMA synchronous = NORMAL",))
    print(f"power cuts, synchronous=NORMAL (must lose something): {weaker}")  # noqa: T201 - it is what was asked for
    if not weaker.lost:
        wrong.append("nothing was lost with synchronous=NORMAL: the test of power cuts tests nothing")
    print("\n".join(wrong))  # noqa: T201 - it is what was asked for
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
