"""YAML is read without guesses; a quoting mistake shows the line as it should be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline.engine.rulefile import Mapping, Scalar, Sequence, read

# A line that YAML reads differently from what it looks like -> the line to write.
MISQUOTED = {
    'when: merchant == "A": x': "when: 'merchant == \"A\": x'",
    "reason: {amount} is big": 'reason: "{amount} is big"',
    "  reason: {count} times": 'reason: "{count} times"',
    "reason: At {local_time}: late": 'reason: "At {local_time}: late"',
    "reason: @{amount}": 'reason: "@{amount}"',
    "reason: %d": 'reason: "%d"',
    "reason: `x`": 'reason: "`x`"',
    'when: "a" == country': "when: '\"a\" == country'",
    "reason: 'It's bad'": 'reason: "It\'s bad"',
    "reason: [x] is bad": 'reason: "[x] is bad"',
    "when: * 3": 'when: "* 3"',
    "when: > 3": 'when: "> 3"',
    "- id: {x} y": '- id: "{x} y"',
}


@pytest.mark.parametrize(("line", "corrected"), MISQUOTED.items())
def test_a_quoting_mistake_shows_the_corrected_line(line: str, corrected: str) -> None:
    _, (problem,) = read(f"first: 1\nnext:\n  {line}\n")
    assert problem.line == 3
    assert problem.suggestion == f"write: {corrected}"
    _, problems = read(f"first: 1\nnext:\n  {corrected}\n")
    assert problems == []


def test_nothing_is_guessed_and_lines_are_known() -> None:
    top, problems = read("a: NO\nb: [0742, 12:30:00, ~, 1e3, 2025-01-01]\nc:\n  d: 'x'\n  e:\n")
    assert problems == []
    assert top == Mapping(
        {
            "a": Scalar("NO", 1),
            "b": Sequence([Scalar(t, 2) for t in ("0742", "12:30:00", "~", "1e3", "2025-01-01")], 2),
            "c": Mapping({"d": Scalar("x", 4, True), "e": Scalar("", 5)}, 4, {"d": 4, "e": 5}),
        },
        1,
        {"a": 1, "b": 2, "c": 3},
    )


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands twice, first in line 1"),
        ("a: {x: 1, x: 2}\n", 1, "'x' stands twice"),
        ("a: &x 1\nb: *x\n", 1, "anchors and aliases"),
        ("a: 1\n<<: {b: 2}\n", 2, "merging with << is not allowed"),
        ("a: !!int 3\n", 1, "the tag 'tag:yaml.org,2002:int' is not allowed"),
        ("a: !mine 3\n", 1, "the tag '!mine' is not allowed"),
        ("a: 1\n---\nb: 2\n", 2, "a file holds one ruleset"),
        ("a:\n\tb: 1\n", 2, "YAML allows no tab"),
        ("? [a]\n: b\n", 1, "a key is a plain word"),
        ("- a\n", 1, "a ruleset is a mapping"),
        ("", 1, "a ruleset is a mapping"),
        ("a: 1\nb: \x07\n", 2, "control character"),
        ("a: [" * 50, 1, "nested deeper than 12 levels"),
        ("a: [1\nb: 2\n", 2, "this is not YAML"),
    ],
)
def test_what_is_refused(text: str, line: int, message: str) -> None:
    _, problems = read(text)
    assert [p.line for p in problems] == [line]
    assert message in problems[0].message


def test_an_open_bracket_is_told_where_it_was_opened() -> None:
    _, (problem,) = read("lists:\n  a: [x, y\nrules:\n  - id: x\n")
    assert problem.suggestion == "a bracket is opened in line 2 and not closed"


SAME_COLUMN = "begin with '- ' at the same column, as in line 2; the keys of an item at that of its first key"


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("rules:\n  - id: a\n    when: x\n  id: b\n", 4, SAME_COLUMN),
        ("rules:\n  - id: a\n   when: x\n", 3, SAME_COLUMN),
        ("rules:\n  - id: a\n    when: x\n - id: b\n", 4, SAME_COLUMN),
        (
            "rules:\n  - id: a\n      when: x\n",
            3,
            "it is indented deeper than line 2: the keys of one mapping begin at",
        ),
        ("fields:\n  id: Ref\n\n   account: x\n", 4, "it is indented deeper than line 2"),
        ("fields:\n  id Ref\n  account: x\n", 3, "line 2 has no ': ' behind its key"),
        ("fields:\n  id: Ref\n account: x\n", 3, "begin at the same column: indent it like one of the lines above"),
        ("rules:\n  - id: a\n    examples:\n      - {a: 1}\n      {b: 1}\n", 5, "an item of a list '- ' before it"),
    ],
)
def test_wrong_columns_are_told_in_plain_words(text: str, line: int, hint: str) -> None:
    _, (problem,) = read(text)
    assert (problem.line, hint in problem.suggestion) == (line, True), problem.suggestion


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("a:-[]{}'\"#&*!|>%@` \n\t0,?~\\"), max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    top, problems = read(text)
    assert top is not None or problems
