"""City names stand for a place only where it is clear which one is meant."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from fraudline.engine.places import cities_version, folded, locate


@pytest.mark.parametrize(
    ("name", "latitude", "longitude"),
    [
        ("delhi", 28.6, 77.2),
        ("  New   DELHI ", 28.6, 77.2),
        ("London", 51.5, -0.1),
        ("bangalore", 13.0, 77.6),
        ("Bengaluru", 13.0, 77.6),
        ("Zürich", 47.4, 8.6),
        ("zurich", 47.4, 8.6),
        ("São Paulo", -23.5, -46.6),
        ("New York", 40.7, -74.0),
        ("Vaduz", 47.1, 9.5),
    ],
)
def test_a_city_is_found_in_any_case_and_with_or_without_accents(name: str, latitude: float, longitude: float) -> None:
    found = locate(name)
    assert found is not None
    assert found[0] == pytest.approx(latitude, abs=0.2)
    assert found[1] == pytest.approx(longitude, abs=0.2)


@pytest.mark.parametrize("name", ["Atlantis", "", "x", "Springfield", "San José", "London, CA", "a|b"])
def test_what_is_unknown_or_could_be_several_is_nowhere(name: str) -> None:
    assert locate(name) is None


def test_the_table_is_small_sane_and_attributed() -> None:
    data = resources.files("fraudline").joinpath("data")
    table = data.joinpath("cities.tsv").read_bytes()
    assert len(table) < 400_000
    names = [name for line in table.decode().splitlines() for name in line.split("\t")[0].split("|")]
    assert len(names) == len(set(names)) > 5_000
    assert all(name == folded(name) for name in names)
    assert "GeoNames" in data.joinpath("NOTICE").read_text()
    assert "Attribution 4.0" in re.sub(r"\s+", " ", data.joinpath("NOTICE").read_text())
    assert re.fullmatch("[0-9a-f]{64}", cities_version())
