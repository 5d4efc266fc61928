"""Placeholders of reasons."""

from __future__ import annotations

import pytest

from fraudline.engine.template import Placeholder, placeholders, stray_brace


def test_values_and_limits_with_their_places() -> None:
    assert placeholders("Is {amount} above {amount:limit}?") == [
        Placeholder("amount", False, 3, 11),
        Placeholder("amount", True, 18, 32),
    ]


def test_doubled_braces_are_braces() -> None:
    assert placeholders("{{amount}} {{{account}}}") == [Placeholder("account", False, 13, 22)]


@pytest.mark.parametrize(
    ("reason", "position"),
    [
        ("{a} and {a:limit}", None),
        ("", None),
        ("{a", 0),
        ("a}", 1),
        ("{}", 0),
        ("{a:max}", 0),
        ("{{a}}", None),
        ("{{{a}}}", None),
        ("{{a}", 3),
        ("{a} }", 4),
    ],
)
def test_a_brace_alone_is_found(reason: str, position: int | None) -> None:
    assert stray_brace(reason) == position
