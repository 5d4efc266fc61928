"""Settings: the environment wins over the file, and what does not exist is refused with what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from fraudline.domain.errors import FraudlineError
from fraudline.settings import Settings, load


def test_nothing_set_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, {}) == Settings(ruleset=None, tenant="default", engine="auto")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "fraudline.toml").write_text('ruleset = "cards"\nengine = "plain"\n', "utf-8")
    environment = {"FRAUDLINE_RULESET": "expenses", "FRAUDLINE_WORKSPACE": "x", "FRAUDLINE_TENANT": "", "PATH": "y"}
    assert load(tmp_path, environment) == Settings(ruleset="expenses", tenant="default", engine="plain")


@pytest.mark.parametrize(
    ("toml", "environment", "code", "says"),
    [
        ("rulset = 'cards'", {}, 2, "did you mean 'ruleset'?"),
        ("colour = 'red'", {}, 2, "There are: ruleset, tenant, engine"),
        ("engine = 'fast'", {}, 2, "auto, plain or compiled"),
        ("tenant = 7", {}, 2, "tenant"),
        ("ruleset = cards", {}, 3, "cannot be read"),
        ("", {"FRAUDLINE_RULESETS": "cards"}, 2, "FRAUDLINE_RULESET"),
        ("", {"FRAUDLINE_ENGINE": "numba"}, 2, "FRAUDLINE_ENGINE is 'numba'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, toml: str, environment: dict[str, str], code: int, says: str
) -> None:
    (tmp_path / "fraudline.toml").write_text(toml, "utf-8")
    with pytest.raises(FraudlineError) as error:
        load(tmp_path, environment)
    assert error.value.exit_code == code
    assert says in str(error.value)
