"""The same targets led by coverage: `python -m tests.fuzz.guided yaml 60` fuzzes one for a minute, with atheris.

Atheris is no dependency of the tests: `pip install atheris` (it was tried with 3.0 under Python 3.11 on Linux).
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.guard import watched
from tests.fuzz.mutate import MAX_BYTES


def main(name: str, seconds: int) -> None:
    """Fuzz one target for so long. What it finds is written to the folder it names, and ends the process."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris; python -m tests.fuzz needs no more than the tests do")
    with atheris.instrument_imports(include=["fraudline"]):
        from tests.fuzz.targets import TARGETS, known, warm
    target = TARGETS[name]
    warm(target)
    folder = Path(tempfile.mkdtemp(prefix=f"fraudline-{name}-"))
    for number, data in enumerate([*target.seeds(), *known(name)]):
        (folder / f"{number}").write_bytes(data[:MAX_BYTES])

    def one(data: bytes) -> None:
        with watched():
            target.run(data)

    words = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/find-", str(folder)]
    atheris.Setup([sys.argv[0], *words], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
