"""YAML text -> entries with their lines, and nothing guessed: `NO`, `0742`, `12:30:00` stay the text they are.

The document is composed here from the parser's events, so that duplicate keys, anchors, tags and deep nesting are
refused where they stand, before anything is built from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from fraudline.domain.errors import Problem
from fraudline.engine.canonical import quoted

MAX_BYTES = 1_000_000
MAX_DEPTH = 12
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML without its C library reads the same, slower
_KEY = re.compile(r"^(\s*(?:- +)*)([A-Za-z_][\w-]*)(\s*):(?:\s+)(\S.*)$")


@dataclass(slots=True)
class Scalar:
    """A value as text, and its line (1-based)."""

    text: str
    line: int
    quoted: bool = False


@dataclass(slots=True)
class Sequence:
    """A list of entries."""

    items: list[Entry]
    line: int


@dataclass(slots=True)
class Mapping:
    """Keys with their entries, in the order they are written. `lines` are those of the keys."""

    items: dict[str, Entry]
    line: int
    lines: dict[str, int] = field(default_factory=dict)


Entry = Scalar | Sequence | Mapping


class _Refused(Exception):
    """The document cannot be used at all; carries why."""

    def __init__(self, message: str, line: int, suggestion: str = "", text: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(message=message, line=line, suggestion=suggestion, text=text, end=len(text))


def read(text: str) -> tuple[Mapping | None, list[Problem]]:
    """The document's top mapping, or None; and what is wrong with it. Never raises, whatever the text."""
    if len(text) > MAX_BYTES:
        return None, [Problem(message=f"the ruleset has {len(text)} characters; at most {MAX_BYTES} are allowed")]
    odd = next((letter for letter in text if letter < " " and letter not in "\n\r\t"), None)
    if odd is not None or any(0xD800 <= ord(letter) <= 0xDFFF for letter in (text if not text.isascii() else "")):
        line = text[: text.index(odd)].count("\n") + 1 if odd else 1
        return None, [Problem(message="the ruleset holds a control character; it must be plain text", line=line)]
    problems: list[Problem] = []
    try:
        top = _document(text, problems)
    except _Refused as refused:
        return None, [*problems, refused.problem]
    except yaml.YAMLError as error:
        return None, [*problems, _broken(text, error)]
    if isinstance(top, Mapping):
        return top, problems
    return None, [*problems, Problem(message="a ruleset is a mapping that begins with 'ruleset: name'", line=1)]


def _document(text: str, problems: list[Problem]) -> Entry | None:
    events = iter(yaml.parse(text, Loader=_LOADER))
    top: Entry | None = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if top is not None:
                raise _Refused("a file holds one ruleset; this '---' begins another", _line(event))
            top = _entry(next(events), events, 1, problems)
    return top


def _line(event: yaml.Event) -> int:
    return (event.start_mark.line if event.start_mark else 0) + 1


def _entry(event: yaml.Event, events: Iterator[yaml.Event], depth: int, problems: list[Problem]) -> Entry:
    """The entry that begins with this event."""
    line = _line(event)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _Refused(
            "anchors and aliases (& and *) are not allowed", line, "write the value out, or put it in quotes"
        )
    tag = getattr(event, "tag", None)
    if tag not in (None, "!"):
        raise _Refused(f"the tag '{tag}' is not allowed", line, "write plain text, in quotes if it begins with !")
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(event.value, line, event.style in ("'", '"'))
    if depth > MAX_DEPTH:
        raise _Refused(f"nested deeper than {MAX_DEPTH} levels", line)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_entry(event, events, depth + 1, problems))
        return Sequence(items, line)
    return _mapping(line, events, depth, problems)


def _mapping(line: int, events: Iterator[yaml.Event], depth: int, problems: list[Problem]) -> Mapping:
    found = Mapping({}, line)
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _entry(event, events, depth + 1, problems)
        value = _entry(next(events), events, depth + 1, problems)
        if not isinstance(key, Scalar):
            raise _Refused("a key is a plain word", key.line, 'a text that begins with { or [ needs quotes: "{...}"')
        if key.text == "<<" and not key.quoted:
            raise _Refused("merging with << is not allowed", key.line)
        if key.text in found.items:
            first = found.lines[key.text]
            problems.append(Problem(message=f"'{key.text}' stands twice, first in line {first}", line=key.line))
            continue
        found.items[key.text] = value
        found.lines[key.text] = key.line
    return found


def _broken(text: str, error: yaml.YAMLError) -> Problem:
    """What YAML stumbled over; the corrected line where quotes are what it needs."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    lines = text.splitlines() or [""]
    number = min(mark.line if mark else 0, len(lines) - 1)
    said = str(getattr(error, "problem", None) or "it cannot be read")
    for candidate in (number, number - 1):
        correction = _quoted_line(lines[candidate]) if candidate >= 0 else ""
        if correction:
            message = "YAML reads this line differently from what it looks like; the value needs quotes"
            return Problem(message=message, line=candidate + 1, suggestion=f"write: {correction}")
    if "\t" in lines[number]:
        return Problem(message="YAML allows no tab at the start of a line", line=number + 1, suggestion="use spaces")
    opened = getattr(error, "context_mark", None)
    flow = opened is not None and "flow" in str(getattr(error, "context", ""))
    hint = (
        f"a bracket is opened in line {opened.line + 1} and not closed"
        if flow and opened
        else _indented(lines, number, error)
    )
    shown = lines[number].strip()
    return Problem(message=f"this is not YAML: {said}", line=number + 1, text=shown, end=1, suggestion=hint)


def _indented(lines: list[str], number: int, error: yaml.YAMLError) -> str:
    """What the columns of this line should be, where they are what YAML stumbled over."""
    said, context = str(getattr(error, "problem", "")), str(getattr(error, "context", ""))
    if "block collection" in context or "block sequence" in context or lines[number].lstrip().startswith("- "):
        item = next((at for at in range(number - 1, -1, -1) if lines[at].lstrip().startswith("- ")), None)
        like = f", as in line {item + 1}" if item is not None else ""
        return f"items of a list begin with '- ' at the same column{like}; the keys of an item at that of its first key"
    above = next((at for at in range(number - 1, -1, -1) if lines[at].strip()), None)
    if "mapping values" in said and above is not None:
        if _key_column(lines[number]) > _key_column(lines[above]):
            hint = f"it is indented deeper than line {above + 1}: the keys of one mapping begin at the same column"
            return f"{hint}, and a key with keys below it has nothing behind its ':'"
        return f"line {above + 1} has no ': ' behind its key"
    if "block mapping" in context:
        return "the keys of one mapping begin at the same column: indent it like one of the lines above"
    return "a key has ': ' behind it, and an item of a list '- ' before it" if "expected ':'" in said else ""


def _key_column(line: str) -> int:
    """Where the first word of a line begins, behind the dashes of a list."""
    return len(line) - len(line.lstrip(" -"))


def _quoted_line(line: str) -> str:
    """The line with its value in quotes, where the value is one that YAML reads as something else."""
    found = _KEY.match(line)
    if not found:
        return ""
    start, key, _, value = found.groups()
    value = value.rstrip()
    if not _misread(value):
        return ""
    inner = value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value
    if '"' in inner and "'" not in inner and "\\" not in inner:
        return f"{start.strip()} {key}: '{inner}'".strip()
    return f"{start.strip()} {key}: {quoted(inner)}".strip()


def _misread(value: str) -> bool:
    if value[0] in "@%`*&!|>,]}" or ": " in value or value.endswith(":"):
        return True
    if value[0] in "[{" and "]}"["[{".index(value[0])] not in value:
        return False  # it goes on in the next lines
    try:
        list(yaml.parse(f"value: {value}", Loader=_LOADER))
    except yaml.YAMLError:
        return True
    return False


def unquoted_braces(entry: Entry) -> str:
    """What somebody meant who wrote `{amount}` without quotes and nothing after it: the text in braces, or nothing."""
    if isinstance(entry, Mapping) and len(entry.items) == 1:
        ((key, value),) = entry.items.items()
        if isinstance(value, Scalar) and not value.text:
            return f"{{{key}}}"
    return ""
