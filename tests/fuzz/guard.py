"""Watches one input at a time: no code of the input may run, and time and memory are bounded.

A Python audit hook stands for the whole process and only looks while an input is `watched`. It fails on everything by
which text becomes an action: processes, sockets, files written, moved or removed, and code that is executed without
being a module of this installation or what `engine.compile` generates.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

SECONDS = 1.0  # of processor time, so that a busy machine is not a find
KIB = 200 * 1024
_GENERATED = "<ruleset>"  # what engine.compile calls its functions
_FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "os.kill", "subprocess.Popen"),
    *("socket.", "ctypes.dlopen", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.link"),
    *("os.symlink", "os.chmod", "shutil.", "pickle.find_class", "sqlite3.", "urllib.", "webbrowser."),
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Breach(BaseException):
    """An input made something happen, or cost too much. No `except Exception` on the way swallows it."""


class _Hook:
    armed = False
    installed = False
    breach = ""

    def __call__(self, event: str, values: tuple[Any, ...]) -> None:
        """What Python calls at every audited event."""
        if not self.armed:
            return
        if event == "exec":
            code = values[0]
            if isinstance(code, CodeType) and not _is_ours(code.co_filename):
                self.fail(f"code of {code.co_filename} is executed")
        elif event == "open":
            self.opened(*values)
        elif event.startswith(_FORBIDDEN):
            self.fail(f"{event}{values}")

    def opened(self, path: Any, mode: Any, flags: Any) -> None:
        """A file is opened: to read, or (in the name of its folder) as a nameless temporary one."""
        writes = isinstance(flags, int) and flags & _WRITING and not isinstance(path, int)
        if writes and not Path(path).is_dir():
            self.fail(f"{path} is opened for writing ({mode})")

    def fail(self, said: str) -> None:
        """Remember it, in case somebody swallows what is raised."""
        self.breach = said
        raise Breach(said)


_hook = _Hook()


def _is_ours(name: str) -> bool:
    return name == _GENERATED or name.startswith(("<frozen ", "/")) or name[1:2] == ":"


@contextmanager
def watched() -> Iterator[None]:
    """Let one input through. Raises Breach where it did what no input may do, or took too much."""
    if not _hook.installed:
        sys.addaudithook(_hook)
        _hook.installed = True
    _hook.breach = ""
    before = _peak_kib(anew=True)
    began = time.thread_time()
    _hook.armed = True
    try:
        yield
    finally:
        _hook.armed = False
    if _hook.breach:
        raise Breach(_hook.breach)
    if (taken := time.thread_time() - began) > SECONDS:
        raise Breach(f"it took {taken:.1f} s")
    if (taken_kib := _peak_kib() - before) > KIB:
        raise Breach(f"it took {taken_kib // 1024} MB")


def _peak_kib(*, anew: bool = False) -> int:
    """The most memory this process ever had, or, where Linux can be told to count anew, has had since then."""
    if anew:
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:  # noqa: PTH123 - quick, once an input
            file.write("5")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
