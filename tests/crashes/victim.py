"""A process that runs `fraudline` in children it forks, and lets each die by SIGKILL at one chosen place of the code.

    {"words": ["score", "file.csv"], "place": "store.py:231:line", "time": 3, "out": "file"}   one line in
    {"code": -9}                                                                                   one line out

A place is a line of our code, or of the libraries that write files for it, as it begins or returns. The
child dies the `time`-th time it comes there; without a place it lives and writes down where it came by.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from fraudline import pipeline, wiring
from fraudline.adapters.embedded import sorting
from fraudline.apps.cli import app
from tests.crashes import sample

RUN_ROWS = 40  # small enough for a file of few hundred rows to be sorted on disk and stored in many chunks
BATCH_ROWS = 30
WATCHED = tuple(
    f"/{name}.py"
    for name in (
        *("store", "sorting", "workspace", "lock", "schema", "histories", "snapshots", "receipts"),
        *("pipeline", "wiring", "scoring", "score", "sink", "tempfile", "pathlib", "shutil"),
    )
)


class Watch:
    """Counts the lines a run comes by, and kills it at one."""

    def __init__(self, place: str | None, time: int) -> None:
        self.seen: Counter[str] = Counter()
        self.place = place
        self.time = time

    def __call__(self, frame: FrameType, _event: str, _: Any) -> Any:
        """What Python calls when a function begins; its lines are looked at where its file is watched."""
        return self.line if frame.f_code.co_filename.endswith(WATCHED) else None

    def line(self, frame: FrameType, event: str, _: Any) -> Any:
        """What Python calls before every line of a watched function, and when it returns."""
        place = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}:{event}"
        self.seen[place] += 1
        if place == self.place and self.seen[place] == self.time:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.line


def run(words: list[str], place: str | None, time: int, out: str) -> int:
    """In the child: run a command with its output in a file, and perhaps die."""
    written = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    watch = Watch(place, time)
    sys.settrace(watch)
    try:
        app(words, prog_name="fraudline")
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.settrace(None)
    sys.stdout.flush()
    if place is None:
        Path(f"{out}.places").write_text(json.dumps(watch.seen))
    return code


def _warm() -> None:
    """Import, read and compile before the first child is forked what every one of them needs."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "file.csv"
        file.write_bytes(sample.file_bytes(20))
        words = ["-w", f"{name}/work", "-q", "score", str(file), "-r", sample.LOG, "-f", "json", "-o", f"{name}/out"]
        app(words, prog_name="fraudline", standalone_mode=False)


def main() -> None:
    """Answer until nobody asks any more."""
    pipeline.BATCH_ROWS = BATCH_ROWS
    vars(wiring)["in_order"] = functools.partial(sorting.in_order, run_rows=RUN_ROWS)
    _warm()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = run(asked["words"], asked.get("place"), asked.get("time", 1), asked["out"])
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)  # noqa: T201 - it is the answer


if __name__ == "__main__":
    main()
