"""Where a city lies: a small table that comes with the package, so that a name becomes coordinates without a network.

The table is made by `scripts/make_cities.py` from GeoNames (see `data/NOTICE`): capitals and cities of 100,000 people
and more. A name that several cities share stands for one of them only where that one has at least four times the people
of the next, among all of 15,000 people and more; otherwise it stands for none, and the coordinates are missing.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import Final

_FILE: Final = "cities.tsv"


def locate(name: str) -> tuple[float, float] | None:
    """Latitude and longitude of a city, by its name in any case and with or without accents; None where unknown."""
    return _table().get(folded(name))


def folded(name: str) -> str:
    """A name as it is compared: without case, accents and outer or double spaces."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


@lru_cache(maxsize=1)
def cities_version() -> str:
    """The SHA-256 of the table, for a decision's `versions`."""
    return hashlib.sha256(_bytes()).hexdigest()


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[float, float]]:
    """Every name to its place. A line holds the names, latitude and longitude of one city."""
    places: dict[str, tuple[float, float]] = {}
    for line in _bytes().decode("utf-8").splitlines():
        names, latitude, longitude = line.split("\t")
        places |= dict.fromkeys(names.split("|"), (float(latitude), float(longitude)))
    return places


def _bytes() -> bytes:
    return resources.files("fraudline").joinpath("data", _FILE).read_bytes()
