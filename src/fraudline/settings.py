"""What can be set once instead of typed every time: `fraudline.toml` in the workspace, and the environment.

The environment wins over the file, and an option of a command wins over both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec

from fraudline.domain.errors import UnusableInput, UsageError

FILE = "fraudline.toml"
PREFIX = "FRAUDLINE_"
# Read before there are settings: where they stand, and how failures are shown.
ELSEWHERE = frozenset({"FRAUDLINE_WORKSPACE", "FRAUDLINE_DEBUG"})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. Each has a line in docs/reference/settings.md.

    >>> load(Path("no-such-folder"), {"FRAUDLINE_RULESET": "cards"}).ruleset
    'cards'
    """

    ruleset: str | None = None
    tenant: str = "default"
    engine: Literal["auto", "plain", "compiled"] = "auto"


NAMES = Settings.__struct_fields__


def load(workspace: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of a workspace.

    Raises UnusableInput where its file cannot be read and UsageError where a setting or value does not exist.
    """
    return _settings({**_from_file(workspace / FILE), **_from_environment(environment)})


def _from_file(file: Path) -> dict[str, tuple[str, Any]]:
    """Each setting of the file with what to call it in a sentence."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnusableInput(f'{file} cannot be read: {why}. It is TOML, one `key = "value"` a line.') from error
    for name in found:
        if name not in NAMES:
            raise UsageError(f"{file} has no setting {name!r}{_alike(name, NAMES)}.")
    return {name: (f"{name} in {file}", value) for name, value in found.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    known = {PREFIX + name.upper(): name for name in NAMES}
    found: dict[str, tuple[str, Any]] = {}
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and variable not in ELSEWHERE and value:
            if variable not in known:
                choices = (*known, *sorted(ELSEWHERE))
                raise UsageError(f"The environment variable {variable} means nothing{_alike(variable, choices)}.")
            found[known[variable]] = (variable, value)
    return found


def _settings(given: dict[str, tuple[str, Any]]) -> Settings:
    for name, (called, value) in given.items():
        try:
            msgspec.convert({name: value}, Settings)
        except msgspec.ValidationError as error:
            choices = "auto, plain or compiled" if name == "engine" else "a text in quotes"
            raise UsageError(f"{called} is {value!r}; it must be {choices}.") from error
    return msgspec.convert({name: value for name, (_, value) in given.items()}, Settings)


def _alike(name: str, choices: Iterable[str]) -> str:
    close = get_close_matches(name, list(choices), n=1)
    return f"; did you mean {close[0]!r}?" if close else f". There are: {', '.join(choices)}"
