"""Generated rule functions compiled by Numba, kept in the user's cache folder so that each is compiled once."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from fraudline.engine.compile import Generated, Program
from fraudline.engine.history import compiled_kernel


def compile_program(program: Program) -> bool:
    """Give the program compiled functions; False where Numba is not installed."""
    return all(_compile(generated) for generated in (program.masks, program.rules))


def _compile(generated: Generated) -> bool:
    kernel = compiled_kernel()
    if kernel is None:
        return False
    if generated.fast is None:
        import numba  # an optional extra: imported only when a batch is large enough to repay it

        path = _source_file(generated.source + f"\n# with the kernel {_fingerprint(kernel)}\n")
        spec = importlib.util.spec_from_file_location(f"fraudline_{path.stem}", path)
        if spec is None or spec.loader is None:
            return False
        module = importlib.util.module_from_spec(spec)
        module.__dict__.update(JIT=numba.njit(cache=True), distance_m=kernel.distance_m)
        sys.modules[module.__name__] = module
        spec.loader.exec_module(module)
        generated.fast = module.run
    return True


@cache
def _fingerprint(kernel: ModuleType) -> str:
    """What tells kernels apart: compiled code keeps the functions it calls, and Numba asks for its own source only."""
    return hashlib.sha256(Path(str(kernel.__file__)).read_bytes()).hexdigest()


def _source_file(source: str) -> Path:
    """A file that holds this source: Numba's disk cache wants one."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fraudline"
    path = base / f"ruleset_{hashlib.sha256(source.encode()).hexdigest()[:20]}.py"
    if not path.exists() or path.read_text() != source:
        base.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(source)
        partial.replace(path)
    return path
