"""Advice about a ruleset that can be read but hardly means what it says."""

from __future__ import annotations

from fraudline.domain.errors import Problem
from fraudline.domain.ruleset import Ruleset
from fraudline.engine.expression import Trees


def lint(ruleset: Ruleset, trees: Trees) -> list[Problem]:
    """What is wrong with reasons, and warnings."""
    return []
