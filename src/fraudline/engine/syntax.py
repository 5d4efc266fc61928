"""Text of an expression -> Python's own syntax tree; what is hostile is refused before and after `ast.parse` sees it.

Positions are columns in characters (`ast` counts UTF-8 bytes). Nothing here, or after it, evaluates anything.
"""

from __future__ import annotations

import ast
import re
import warnings
from decimal import Decimal

from fraudline.domain.errors import Problem

MAX_CHARACTERS = 4096
MAX_NODES = 200
MAX_DEPTH = 20
MAX_TEXT = 1000  # characters of one text constant
_SHOWN = 60  # how much of a refused giant is repeated to its author
_PAIRS = {")": "(", "]": "[", "}": "{"}
_BLANKS = str.maketrans("\n\r\t\f\v", "     ")
_UNARY_RUN = re.compile(rf"(?:(?:\bnot\b|[-+~!])\s*){{{MAX_DEPTH + 1},}}")
_ASSIGNED = re.compile(r"(?<![=!<>:])=(?!=)")
_THOUSANDS = re.compile(r"\b(\d+(?:\.\d+)?)(k|K|M)\b")
_TIMES = {"k": 1_000, "K": 1_000, "M": 1_000_000}
# What people write who know another language -> what to write here. Tried only where Python cannot read the text.
_HABITS = (
    (re.compile(r"&&"), "write 'and'"),
    (re.compile(r"\|\|"), "write 'or'"),
    (re.compile(r"<>"), "write '!='"),
    (re.compile(r"=>"), "write '>='"),
    (re.compile(r"=<"), "write '<='"),
    (re.compile(r"===+"), "write '=='"),
    (re.compile(r"!(?!=)"), "write 'not'"),
    (re.compile(r"\b(?:AND|OR|NOT|IN)\b"), "write and, or, not, in with small letters"),
    (re.compile(r"[\u201c\u201d\u2018\u2019\u00ab\u00bb]"), 'write plain quotes: "'),
    (re.compile(r"[$\u20ac\u00a3\u20b9\u00a5]"), "write the amount as a plain number, without a currency sign"),
    (re.compile(r"\b\d{1,3}(?:,\d{3})+\b"), "write the number without commas; 10_000 is allowed"),
    (re.compile(r"\b\d+(?:\.\d+)?%"), "write a share as a number, 0.5 for 50%"),
    (_THOUSANDS, "write the number out: {}"),
    (re.compile(r"\b\d+[A-Za-z]+\b"), 'write a length of time as days(7) or, in last=, as text: "7d"'),
    (re.compile(r"\b0\d+\b"), 'write the number without leading zeros, or in quotes where it is text: "0742"'),
    (re.compile(r":="), "write '==' to compare"),
    (re.compile(r";"), "a condition is one expression: join two with and/or"),
    (_ASSIGNED, "write '==' to compare"),
)


class Source:
    """The text of an expression on one line, and where its pieces stand."""

    def __init__(self, text: str) -> None:
        self.text = text.translate(_BLANKS).rstrip()
        self.lead = len(self.text) - len(self.text.lstrip())
        body = self.text[self.lead :]
        self._columns: list[int] | None = None
        if not body.isascii():
            self._columns = [i for i, letter in enumerate(body) for _ in letter.encode("utf-8", "surrogatepass")]
            self._columns.append(len(body))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a piece of the syntax tree stands, in characters."""
        return self._column(getattr(node, "col_offset", 0)), self._column(getattr(node, "end_col_offset", 0))

    def _column(self, bytes_before: int) -> int:
        if self._columns is None:
            return self.lead + bytes_before
        return self.lead + self._columns[min(bytes_before, len(self._columns) - 1)]

    def piece(self, node: ast.AST) -> str:
        """The text of a piece of the syntax tree, exactly as written."""
        start, end = self.span(node)
        return self.text[start:end]

    def problem(self, message: str, span: tuple[int, int], suggestion: str = "") -> Problem:
        """A fault at these columns."""
        return Problem(message=message, text=self.text, start=span[0], end=span[1], suggestion=suggestion)


def read(text: str) -> tuple[Source, ast.expr | Problem]:
    """Python's syntax tree of one expression, or why the text is refused. Never raises, whatever the text."""
    source = Source(text[:_SHOWN] if len(text) > MAX_CHARACTERS else text)
    if len(text) > MAX_CHARACTERS:
        message = f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed"
        return source, source.problem(message, (0, len(source.text)), "split it into named features")
    if not source.text.strip():
        return source, Problem(message="the expression is empty", suggestion="write a condition, as: amount > 10000")
    refused = _scan(source)
    if refused is not None:
        return source, refused
    return source, _parse(source)


def _parse(source: Source) -> ast.expr | Problem:
    whole = (source.lead, len(source.text))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a text is a warning of Python's that is none of ours
            tree = ast.parse(source.text[source.lead :], mode="eval").body
    except SyntaxError as error:
        return _syntax_problem(source, error)
    except (RecursionError, MemoryError):
        return source.problem(f"the expression is nested deeper than {MAX_DEPTH} levels", whole)
    except ValueError as error:
        return source.problem(f"the expression cannot be read: {error}", whole)
    return _measured(source, tree)


def _measured(source: Source, tree: ast.expr) -> ast.expr | Problem:
    """The tree, where it keeps to the limits of size and depth. Walks without recursion."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, ast.expr):
            count += 1
            if depth > MAX_DEPTH:
                message = f"the expression is nested deeper than {MAX_DEPTH} levels"
                return source.problem(message, source.span(node), "give parts of it a name under features:")
            if count > MAX_NODES:
                message = f"the expression has more than {MAX_NODES} parts"
                hint = "put values under lists: and parts of the condition under features:"
                return source.problem(message, source.span(node), hint)
        deeper = depth + isinstance(node, ast.expr)
        if isinstance(node, ast.Compare) and len(node.ops) > 1:  # 1 < x < 9 becomes 1 < x and x < 9, and counts as that
            deeper += 1
            count += len(node.ops)
            waiting.extend((middle, deeper) for middle in node.comparators[:-1])
        waiting.extend((child, deeper) for child in ast.iter_child_nodes(node))
    return tree


def _scan(source: Source) -> Problem | None:
    """What can be told from the letters alone: control characters, comments, brackets and quotes that do not match."""
    text = source.text
    opened: list[int] = []
    position = 0
    while position < len(text):
        letter = text[position]
        here = (position, position + 1)
        if ord(letter) < 32 or letter == "\x7f" or 0xD800 <= ord(letter) <= 0xDFFF:
            return source.problem(f"the character U+{ord(letter):04X} is not allowed", here)
        if letter in "'\"":
            if text[position : position + 3] == letter * 3:
                return source.problem("triple quotes are not allowed", (position, position + 3), f"write {letter}")
            end = _end_of_text(text, position)
            if end is None:
                hint = f"close it with {letter}"
                return source.problem("this text has no closing quote", (position, len(text)), hint)
            position = end
            continue
        if letter == "#":
            return source.problem("comments are not allowed inside an expression", (position, len(text)))
        if letter == "\\":
            return source.problem("a backslash is allowed only inside quotes", here)
        if letter in "([{":
            opened.append(position)
            if len(opened) > MAX_DEPTH * 2:
                return source.problem(f"the expression is nested deeper than {MAX_DEPTH} levels", here)
        elif letter in ")]}":
            if not opened or text[opened[-1]] != _PAIRS[letter]:
                return source.problem(f"this '{letter}' closes nothing", here)
            opened.pop()
        position += 1
    if opened:
        return source.problem(f"this '{text[opened[-1]]}' is never closed", (opened[-1], opened[-1] + 1))
    run = _UNARY_RUN.search(_without_texts(text))
    if run:
        return source.problem(f"the expression is nested deeper than {MAX_DEPTH} levels", run.span())
    return None


def _end_of_text(text: str, start: int) -> int | None:
    """The position after the quoted text that begins here."""
    position = start + 1
    while position < len(text):
        if text[position] == text[start]:
            return position + 1
        position += 2 if text[position] == "\\" else 1
    return None


def _syntax_problem(source: Source, error: SyntaxError) -> Problem:
    """Python's complaint in our words, at the place of the habit that caused it where one is recognised."""
    known = habit_problem(source)
    if known is not None:
        return known
    if not error.offset:
        return source.problem("the expression ends too early", (len(source.text) - 1, len(source.text)))
    start = min(source.lead + error.offset - 1, len(source.text) - 1)
    end = source.lead + (error.end_offset or 0) - 1
    end = end if start < end <= len(source.text) else start + 1
    hint = "put a comma between arguments" if "comma" in error.msg else ""
    return source.problem("the expression cannot be read from here on", (start, end), hint)


def habit_problem(source: Source) -> Problem | None:
    """The first habit from another language that the text shows."""
    bare = _without_texts(source.text)
    for habit, hint in _HABITS:
        found = next(
            (f for f in habit.finditer(bare) if habit is not _ASSIGNED or _outside_brackets(bare, f.start())), None
        )
        if found:
            hint = hint.format(_written_out(found)) if habit is _THOUSANDS else hint  # noqa: PLW2901  # its own number
            return source.problem(f"{found.group()!r} is not understood here", found.span(), hint)
    return None


def _written_out(found: re.Match[str]) -> str:
    """5k as 5_000."""
    exact = Decimal(found[1]) * _TIMES[found[2]]
    return f"{int(exact):_}" if exact == int(exact) else f"{exact.normalize():f}"


def _outside_brackets(bare: str, position: int) -> bool:
    """Inside brackets a single '=' gives an argument its name."""
    return bare.count("(", 0, position) == bare.count(")", 0, position)


def _without_texts(text: str) -> str:
    """The text with everything inside quotes blanked, of the same length."""
    pieces, position = [], 0
    while position < len(text):
        end = _end_of_text(text, position) if text[position] in "'\"" else None
        pieces.append(" " * (end - position) if end else text[position])
        position = end or position + 1
    return "".join(pieces)
