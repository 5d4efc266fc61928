"""Many inputs: `python -m tests.fuzz --target csv --inputs 1000000 --seed 1` (all targets where none is named)."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.run import fuzz, save
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run and print; 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--target", choices=sorted(TARGETS), action="append", help="csv, json, parquet, yaml, expression"
    )
    parser.add_argument("--inputs", type=int, default=20_000, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, default=Path(tempfile.gettempdir()) / "fraudline-finds")
    given = parser.parse_args()
    found = 0
    for name in given.target or TARGETS:
        told = fuzz(name, given.inputs, given.seed)
        found += len(told.finds)
        print(told, flush=True)  # noqa: T201 - it is what was asked for
        for kind, path in zip(told.finds, save(told, given.save) if told.finds else [], strict=True):
            print(f"  {kind}: {path}", flush=True)  # noqa: T201 - it is what was asked for
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
