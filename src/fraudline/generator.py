"""Invents labelled transactions for the shipped rulesets: ordinary life, its oddities, and fraud.

Everything is drawn from one seeded generator, day by day, so the same call writes the same rows on every machine and
memory holds one day at a time. Two things keep the labels honest: some ordinary life is odd (a jeweller before a
wedding, a burst of purchases in a game), and some fraud is patient (small, local, at a familiar hour). No set of rules
finds all of the second without stopping some of the first.

    world     the people of one ruleset and their habits: what they do on a day, and the schemes run against them
    scheme    the rows of one fraud, which may reach over several days
"""

from __future__ import annotations

import csv
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from statistics import NormalDist
from typing import ClassVar, NamedTuple, TypeVar

from fraudline.engine import zones

T = TypeVar("T")
DAY = 86_400
START = date(2025, 5, 1)
LABELS = ("is_fraud", "fraud_type")


class Row(NamedTuple):
    """One transaction: seconds since the start, values in the order of its world's columns, the fraud it belongs to."""

    at: int
    values: list[str]
    fraud: str = ""


def generate(
    ruleset: str,
    transactions: int,
    seed: int = 1,
    *,
    span_days: int = 30,
    start: date = START,
    fraud_share: float = 0.015,
) -> Iterator[dict[str, str]]:
    """Transactions in order of time, as a CSV file would hold them, with the labels `is_fraud` and `fraud_type`.

    >>> next(generate("cards", 100))["transaction_id"]
    'T00000001'
    """
    names = columns(ruleset)
    for values in _rows(ruleset, transactions, seed, span_days, start, fraud_share):
        yield dict(zip(names, values, strict=True))


def write_csv(
    path: Path,
    ruleset: str,
    transactions: int,
    seed: int = 1,
    *,
    span_days: int = 30,
    start: date = START,
    fraud_share: float = 0.015,
) -> None:
    """Write the rows of `generate` as a CSV file with a header, a row at a time."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns(ruleset))
        writer.writerows(_rows(ruleset, transactions, seed, span_days, start, fraud_share))


def columns(ruleset: str) -> tuple[str, ...]:
    """The header for a ruleset: what it reads, then the labels, which it does not."""
    world = _WORLDS[ruleset]
    return ("transaction_id", "timestamp", *world.columns, *LABELS)


def _rows(
    ruleset: str, transactions: int, seed: int, span_days: int, start: date, fraud_share: float
) -> Iterator[list[str]]:
    world = _WORLDS[ruleset](random.Random(seed), transactions, span_days, start)
    quotas = _quotas(transactions, span_days, start, world.weekend)
    days = [f"{start + timedelta(days=day)}T" for day in range(span_days)]
    number = 0
    for day, rows in enumerate(_days(world, quotas, fraud_share)):
        for row in rows:
            number += 1
            minutes, seconds = divmod(row.at % DAY, 60)
            hours, minutes = divmod(minutes, 60)
            stamp = f"{days[day]}{hours:02}:{minutes:02}:{seconds:02}{world.zone}"
            values = world.settle(row)
            yield [f"T{number:08}", stamp, *values, "1" if row.fraud else "0", row.fraud]


def _days(world: _World, quotas: list[int], fraud_share: float) -> Iterator[list[Row]]:
    """Each day's rows in order of time. Fraud begins when there is some history to tell it from."""
    planned: list[list[Row]] = [[] for _ in quotas]
    warm = len(quotas) // 5
    due = 0.0
    for day, quota in enumerate(quotas):
        if day >= warm:
            due += fraud_share * quota * len(quotas) / (len(quotas) - warm)
            for _ in range(1000):
                if due < 1:
                    break
                due -= _plan(world.scheme(day), planned, quotas)
        rows = planned[day]
        planned[day] = []
        rows += world.ordinary(day, quota - len(rows))
        rows.sort(key=lambda row: row.at)
        yield rows


def _plan(scheme: list[Row], planned: list[list[Row]], quotas: list[int]) -> int:
    """Put a scheme's rows on their days if they fit there; how many of them are fraud."""
    extra: dict[int, int] = {}
    for row in scheme:
        extra[row.at // DAY] = extra.get(row.at // DAY, 0) + 1
    for day, rows in extra.items():
        if day >= len(quotas) or len(planned[day]) + rows > max(quotas[day] // 2, min(quotas[day], 6)):
            return 0
    for row in scheme:
        planned[row.at // DAY].append(row)
    return sum(1 for row in scheme if row.fraud)


def _quotas(transactions: int, span_days: int, start: date, weekend: float) -> list[int]:
    """How many rows each day gets; together exactly the number asked for."""
    weights = [weekend if (start + timedelta(days=day)).weekday() >= 5 else 1.0 for day in range(span_days)]
    ends = [round(transactions * part / sum(weights)) for part in accumulate(weights)]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _spread(sigma: float, steps: int = 4096) -> list[float]:
    """Factors of a log-normal distribution around 1, to draw from by position."""
    normal = NormalDist()
    return [2.718281828459045 ** (sigma * normal.inv_cdf((step + 0.5) / steps)) for step in range(steps)]


def _clock(weights: Sequence[float], steps: int = 4096) -> list[int]:
    """Seconds of the day, so that drawing by position follows 24 hourly weights."""
    seconds: list[int] = []
    total = sum(weights)
    for hour, weight in enumerate(weights):
        share = round(steps * weight / total)
        seconds += [hour * 3600 + 3600 * step // share for step in range(share)]
    return seconds


WIDE = _spread(0.75)
NARROW = _spread(0.4)
SHOPPING = _clock([1, 0.6, 0.4, 0.3, 0.4, 1, 4, 10, 14, 16, 20, 26, 34, 30, 24, 24, 28, 36, 40, 34, 24, 16, 8, 3])
LATE = _clock([10, 8, 6, 4, 2, 1, 1, 2, 4, 6, 8, 10, 14, 14, 14, 14, 16, 20, 26, 28, 28, 26, 22, 16])
OFFICE = _clock([0.1, 0, 0, 0, 0.1, 0.5, 2, 6, 14, 24, 26, 26, 34, 30, 22, 20, 22, 22, 18, 16, 10, 4, 1, 0.3])


class _World(ABC):
    """The people of one ruleset. Subclasses say what they do; this holds what drawing needs."""

    columns: ClassVar[tuple[str, ...]]
    zone: ClassVar[str] = "Z"
    weekend: ClassVar[float] = 1.0
    per_month: ClassVar[int]
    skew: ClassVar[float] = 0.7

    def __init__(self, rng: random.Random, transactions: int, days: int, start: date) -> None:
        self.rng = rng
        self.draw = rng.random
        self.days = days
        self.start = start
        self.size = max(12, round(transactions / (self.per_month * max(days, 3) / 30)))
        # Activity is Zipf-like: a few people are very busy, most are not.
        self.weights = list(accumulate((rank + 8) ** -self.skew for rank in range(self.size)))
        self.schemes: list[tuple[float, Callable[[int], list[Row]]]] = []

    @abstractmethod
    def ordinary(self, day: int, wanted: int) -> list[Row]:
        """Exactly this many legitimate rows for a day."""

    def scheme(self, day: int) -> list[Row]:
        """One fraud that begins on this day."""
        weights = [weight for weight, _ in self.schemes]
        _, rows = self.rng.choices(self.schemes, weights=weights)[0]
        return rows(day)

    def settle(self, row: Row) -> list[str]:
        """A row's values when its turn in time has come."""
        return row.values

    def pick(self, choices: Sequence[T]) -> T:
        """One of these, all alike."""
        return choices[int(self.draw() * len(choices))]

    def between(self, low: float, high: float) -> float:
        """A number from low up to high."""
        return low + (high - low) * self.draw()

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.draw() * (high - low + 1))


# Cards ------------------------------------------------------------------------------------------------------------


class City(NamedTuple):
    """Where people live, shop and travel. `shift` is seconds east of UTC at the start of the span."""

    name: str
    country: str
    latitude: float
    longitude: float
    zone: str
    shift: int = 0


CITIES = (
    City("New York City", "US", 40.7143, -74.006, "America/New_York"),
    City("Los Angeles", "US", 34.0522, -118.2437, "America/Los_Angeles"),
    City("Chicago", "US", 41.85, -87.65, "America/Chicago"),
    City("Houston", "US", 29.7633, -95.3633, "America/Chicago"),
    City("Phoenix", "US", 33.4484, -112.074, "America/Phoenix"),
    City("Denver", "US", 39.7392, -104.9847, "America/Denver"),
    City("Seattle", "US", 47.6062, -122.3321, "America/Los_Angeles"),
    City("Miami", "US", 25.7743, -80.1937, "America/New_York"),
    City("Toronto", "CA", 43.7001, -79.4163, "America/Toronto"),
    City("London", "GB", 51.5085, -0.1257, "Europe/London"),
    City("Paris", "FR", 48.8534, 2.3488, "Europe/Paris"),
    City("Mexico City", "MX", 19.4285, -99.1277, "America/Mexico_City"),
    City("Cancun", "MX", 21.1743, -86.8466, "America/Cancun"),
    City("Tokyo", "JP", 35.6895, 139.6917, "Asia/Tokyo"),
    City("Sao Paulo", "BR", -23.5475, -46.6361, "America/Sao_Paulo"),
    City("Bucharest", "RO", 44.4323, 26.1063, "Europe/Bucharest"),
    City("Lagos", "NG", 6.4541, 3.3947, "Africa/Lagos"),
    City("Manila", "PH", 14.6042, 120.9822, "Asia/Manila"),
)
HOMES = 10  # the first cities are where the customers live

# Kind of shop, merchant category, median amount, weight.
SHOPS = (
    ("grocer", "5411", 38.0, 30),
    ("restaurant", "5812", 27.0, 16),
    ("fastfood", "5814", 11.0, 18),
    ("fuel", "5541", 41.0, 11),
    ("pharmacy", "5912", 18.0, 8),
    ("transit", "4111", 3.2, 9),
    ("taxi", "4121", 16.0, 6),
    ("store", "5311", 52.0, 8),
    ("clothing", "5651", 61.0, 6),
    ("electronics", "5732", 130.0, 2),
    ("furniture", "5712", 240.0, 1),
    ("hotel", "7011", 170.0, 1),
    ("bar", "5813", 24.0, 4),
)
ONLINE = (
    ("shop", "5999", 34.0, 30),
    ("books", "5942", 17.0, 10),
    ("games", "5816", 4.5, 8),
    ("streaming", "4899", 12.99, 10),
    ("airline", "4511", 290.0, 2),
    ("broker", "6211", 160.0, 1),
    ("electronics", "5732", 120.0, 3),
    ("delivery", "5814", 24.0, 14),
)


class Merchant(NamedTuple):
    """A shop with its category and place; online shops have no place."""

    id: str
    mcc: str
    median: float
    country: str
    location: str = ""
    latitude: str = ""
    longitude: str = ""


class Customer:
    """A card holder's habits."""

    __slots__ = (
        "bin",
        "card",
        "city",
        "clock",
        "device",
        "id",
        "ip",
        "online",
        "online_share",
        "scale",
        "shops",
        "trip",
    )

    def __init__(self, world: Cards, number: int) -> None:
        self.id = f"C{number:06}"
        self.card = f"card-{number:06}-{world.whole(1000, 9999)}"
        self.bin = world.pick(BINS)
        self.city = world.pick(world.cities[:HOMES])
        self.device = f"dev-{number:06}-1"
        self.ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self.scale = world.pick(NARROW)
        self.clock = LATE if world.draw() < 0.06 else SHOPPING
        self.online_share = world.between(0.08, 0.5)
        self.shops = [world.pick(world.shops[self.city.name]) for _ in range(world.whole(5, 12))]
        self.online = [world.pick(world.online) for _ in range(world.whole(2, 6))]
        self.trip: tuple[int, int, City] | None = None
        if world.draw() < 0.25:
            leave = world.whole(0, world.days)
            self.trip = (leave, leave + world.whole(1, 9), world.pick(world.cities[:14]))


BINS = ("400011", "400022", "400033", "510044", "510055", "520066", "520077", "601188")


class Cards(_World):
    """Card holders in ten cities, who shop near home, online, and on trips."""

    columns = (
        "customer_id", "card_number", "bin", "amount", "merchant", "mcc", "country", "location", "latitude",
        "longitude", "channel", "status", "device", "ip", "timezone",
    )  # fmt: skip
    weekend = 1.2
    per_month = 28

    def __init__(self, rng: random.Random, transactions: int, days: int, start: date) -> None:
        super().__init__(rng, transactions, days, start)
        self.cities = [city._replace(shift=_shift(city.zone, start)) for city in CITIES]
        each = min(400, max(30, self.size // 12))
        self.shops = {city.name: self._shops(city, each) for city in self.cities}
        kinds = rng.choices(ONLINE, weights=[kind[3] for kind in ONLINE], k=each)
        self.online = [
            Merchant(f"{kind[0]}-online-{n}", kind[1], kind[2], self._seat()) for n, kind in enumerate(kinds)
        ]
        self.people = [Customer(self, number + 1) for number in range(self.size)]
        self.schemes = [
            (20, self._card_testing),
            (18, self._account_takeover),
            (18, self._impossible_travel),
            (16, self._night_spending),
            (4, self._bin_attack),
            (16, self._low_and_slow),
        ]

    def _seat(self) -> str:
        """Most online shops sell under the customer's own flag."""
        return "US" if self.draw() < 0.06 else ""

    def _shops(self, city: City, count: int) -> list[Merchant]:
        kinds = self.rng.choices(SHOPS, weights=[kind[3] for kind in SHOPS], k=count)
        where = (f"{city.latitude:.4f}", f"{city.longitude:.4f}")
        name = city.name.replace(" ", "").lower()
        return [
            Merchant(f"{kind[0]}-{name}-{n}", kind[1], kind[2], city.country, city.name, *where)
            for n, kind in enumerate(kinds)
        ]

    def ordinary(self, day: int, wanted: int) -> list[Row]:
        """Purchases by people's habits, now and then an oddity."""
        rows: list[Row] = []
        for person in self.rng.choices(self.people, cum_weights=self.weights, k=wanted):
            if len(rows) >= wanted:
                break
            if self.draw() < 0.994:
                rows.append(self._purchase(person, day))
            else:
                rows += self._oddity(person, day)
        return rows[:wanted]

    def _purchase(self, person: Customer, day: int) -> Row:
        draw, trip, city, away = self.draw, person.trip, person.city, False
        if trip and trip[0] <= day <= trip[1]:
            city, away = trip[2], True
        travelling = away and trip is not None and day == trip[0]
        local = person.clock[int(draw() * len(person.clock))] + int(draw() * 60)
        if travelling or draw() < person.online_share:
            shop = self.pick(person.online) if draw() < 0.92 else self.pick(self.online)
        elif away or draw() < 0.1:
            shop = self.pick(self.shops[city.name])
        else:
            shop = self.pick(person.shops)
        amount = max(0.5, shop.median * person.scale * WIDE[int(draw() * 4096)])
        at = day * DAY + (local - city.shift) % DAY
        return self._row(person, at, amount, shop, city, "declined" if draw() < 0.012 else "approved")

    def _row(
        self, person: Customer, at: int, amount: float, shop: Merchant, city: City, status: str = "approved",
        fraud: str = "", device: str = "",
    ) -> Row:  # fmt: skip
        values = [
            person.id,
            person.card,
            person.bin,
            f"{amount:.2f}",
            shop.id,
            shop.mcc,
            shop.country or person.city.country,
            shop.location,
            shop.latitude,
            shop.longitude,
            *(("shop", status, "", "") if shop.location else ("online", status, device or person.device, person.ip)),
            city.zone,
        ]
        return Row(at, values, fraud)

    def _oddity(self, person: Customer, day: int) -> list[Row]:
        """Legitimate, and yet it looks like something."""
        kind, city = self.draw(), person.city
        at = day * DAY + (self.pick(SHOPPING) - city.shift) % DAY
        if kind < 0.3:  # a purchase people save for
            shop = self.pick(self.shops[city.name])
            return [self._row(person, at, self.between(700, 4200), shop, city)]
        if kind < 0.5:  # coins in a game
            game = Merchant("games-online-coins", "5816", 3.0, "")
            return self._burst(person, at, [self.between(0.99, 4.99) for _ in range(self.whole(3, 6))], [game], city)
        if kind < 0.65:  # a terminal that does not like the card
            shop, amount = self.pick(person.shops), self.between(15, 120)
            tries = self.whole(1, 3)
            status = ["declined"] * tries + ["approved"]
            return [self._row(person, at + 40 * n, amount, shop, city, state) for n, state in enumerate(status)]
        if kind < 0.85:  # an afternoon in a mall
            malls = [self.pick(self.shops[city.name]) for _ in range(self.whole(4, 6))]
            return self._burst(person, at, [self.between(8, 90) for _ in malls], malls, city, gap=700)
        person.device = f"{person.device[:-1]}{int(person.device[-1]) % 9 + 1}"  # a new telephone
        return [self._row(person, at, self.between(20, 260), self.pick(person.online), city)]

    def _burst(
        self, person: Customer, at: int, amounts: list[float], shops: Sequence[Merchant], city: City,
        fraud: str = "", device: str = "", gap: int = 120, declined: float = 0.0,
    ) -> list[Row]:  # fmt: skip
        """Several purchases one after the other, on the day they began."""
        rows = []
        at = min(at, at // DAY * DAY + DAY - gap * len(amounts) - 1)
        for n, amount in enumerate(amounts):
            status = "declined" if self.draw() < declined else "approved"
            rows.append(self._row(person, at, amount, shops[n % len(shops)], city, status, fraud, device))
            at += 1 + int(self.draw() * gap)
        return rows

    def _thief(self) -> str:
        return f"dev-x{self.whole(100000, 999999)}"

    def _card_testing(self, day: int) -> list[Row]:
        """Tiny payments to see if a stolen card lives, then one that pays. The patient test once, hours before."""
        person, device = self.pick(self.people), self._thief()
        at = day * DAY + self.whole(0, DAY // 2)
        patient = self.draw() < 0.25
        amounts = [self.between(0.5, 4.5) for _ in range(1 if patient else self.whole(3, 8))]
        shops = [self.pick(self.online)]
        rows = self._burst(person, at, amounts, shops, person.city, "card_testing", device, 90, 0.45)
        later = rows[-1].at + self.whole(300, 7200 if not patient else 30_000)
        price = self.between(90, 240) if patient else self.between(180, 950)
        shops = [self.pick(self.online)]
        return rows + self._burst(person, later, [price], shops, person.city, "card_testing", device)

    def _account_takeover(self, day: int) -> list[Row]:
        """Somebody else logs in from a device of his own and buys what can be sold again."""
        person, at = self.pick(self.people), day * DAY + self.whole(0, DAY - 7200)
        cash = Merchant("coins-online-exchange", self.pick(["6051", "4829"]), 200.0, "")
        careful = self.draw() < 0.3
        shops = [self.pick(self.online)] if careful else [cash, self.pick(self.online)]
        amounts = [self.between(60, 150) if careful else self.between(180, 1300) for _ in range(self.whole(1, 4))]
        device = self._thief()
        return self._burst(person, at, amounts, shops, person.city, "account_takeover", device, 900)

    def _impossible_travel(self, day: int) -> list[Row]:
        """A copied card pays far away while its owner shops at home."""
        person, abroad = self.pick(self.people), self.pick(self.cities[HOMES:])
        at = day * DAY + self.whole(0, DAY // 2)
        home = self._row(person, at, self.between(5, 60), self.pick(person.shops), person.city)
        shops = [self.pick(self.shops[abroad.name]) for _ in range(3)]
        amounts = [self.between(40, 900) for _ in range(self.whole(1, 4))]
        after = at + (self.whole(1200, 9000) if self.draw() < 0.8 else self.whole(36_000, 40_000))
        return [home, *self._burst(person, after, amounts, shops, abroad, "impossible_travel", gap=2400)]

    def _night_spending(self, day: int) -> list[Row]:
        """A stolen purse is emptied in its owner's city before the morning."""
        person = self.pick(self.people)
        city = person.city
        at = day * DAY + (self.whole(1800, 10_000) - city.shift) % DAY
        shops = [self.pick(self.shops[city.name]) for _ in range(4)]
        amounts = [self.between(60, 650) for _ in range(self.whole(2, 6))]
        return self._burst(person, at, amounts, shops, city, "night_spending", gap=1200)

    def _bin_attack(self, day: int) -> list[Row]:
        """Guessed numbers of one series are tried at one shop; nearly all are refused."""
        series, device, shop = self.pick(BINS), self._thief(), self.pick(self.online)
        at = day * DAY + self.whole(0, DAY - 1200)
        victims = [self.pick(self.people) for _ in range(60)]
        rows = []
        for person in [victim for victim in victims if victim.bin == series][: self.whole(5, 14)]:
            status = "approved" if self.draw() < 0.1 else "declined"
            rows.append(self._row(person, at, 1.0, shop, person.city, status, "bin_attack", device))
            at += self.whole(3, 50)
        return rows

    def _low_and_slow(self, day: int) -> list[Row]:
        """A purchase like any other, except that the owner did not make it."""
        person, city = self.pick(self.people), self.pick(self.people).city
        at = day * DAY + (self.pick(SHOPPING) - city.shift) % DAY
        shop, amount = self.pick(self.online), self.between(25, 190)
        device = "" if self.draw() < 0.6 else self._thief()
        return [self._row(person, at, amount, shop, person.city, "approved", "low_and_slow", device)]


def _shift(zone: str, start: date) -> int:
    """Seconds east of UTC on the first day; a change of clocks within the span is not followed."""
    noon = datetime(start.year, start.month, start.day, 12, tzinfo=UTC)
    return zones.offset_ms(int(noon.timestamp()) * 1000, zone) // 1000


# Payments ---------------------------------------------------------------------------------------------------------


class Holder:
    """An account holder's habits. Billers are companies, friends other accounts."""

    __slots__ = (
        "balance",
        "billers",
        "country",
        "device",
        "friends",
        "id",
        "payday",
        "rent",
        "salary",
        "scale",
        "zone",
    )

    def __init__(self, world: Payments, number: int) -> None:
        self.id = f"A{number:06}"
        self.country, self.zone = world.pick(COUNTRIES)
        self.device = f"dev-{number:06}-1"
        self.scale = world.pick(NARROW)
        self.salary = round(3200 * self.scale * world.between(0.8, 1.6), 2)
        self.rent = round(self.salary * world.between(0.2, 0.35), 2)
        self.payday = world.pick((1, 1, 15, 25, 28))
        self.balance = round(self.salary * world.between(0.3, 3), 2)
        self.billers = [world.biller() for _ in range(world.whole(4, 10))]
        self.friends = [f"A{world.whole(1, world.size):06}" for _ in range(world.whole(1, 4))]


COUNTRIES = (
    *[("US", zone) for zone in ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")] * 3,
    ("CA", "America/Toronto"),
    ("GB", "Europe/London"),
    ("DE", "Europe/Berlin"),
    ("MX", "America/Mexico_City"),
)
ABROAD = ("CY", "HK", "AE", "LT", "NG", "PA", "RO")


class Payments(_World):
    """Account holders who pay bills, rent, shops and friends, and whose balance follows."""

    columns = (
        "account_id", "amount", "type", "payee", "origin_country", "destination_country", "balance", "channel",
        "status", "device", "timezone",
    )  # fmt: skip
    weekend = 0.75
    per_month = 24

    def __init__(self, rng: random.Random, transactions: int, days: int, start: date) -> None:
        super().__init__(rng, transactions, days, start)
        self.shifts = {zone: _shift(zone, start) for _, zone in COUNTRIES}
        self.people = [Holder(self, number + 1) for number in range(self.size)]
        self.by_id = {person.id: person for person in self.people}
        self.schemes = [
            (24, self._account_takeover),
            (18, self._mule),
            (12, self._structuring),
            (8, self._refund_abuse),
            (14, self._false_invoice),
            (6, self._overdraft),
            (14, self._persuaded),
        ]

    def biller(self) -> str:
        """A company that many people pay; the first ones are the most popular."""
        return f"B{int(self.draw() ** 2 * max(40, self.size // 4)) + 1:05}"

    def ordinary(self, day: int, wanted: int) -> list[Row]:
        """Payments by people's habits, now and then an oddity."""
        today = self.start + timedelta(days=day)
        return [
            self._payment(person, day, today.day)
            for person in self.rng.choices(self.people, cum_weights=self.weights, k=wanted)
        ]

    def _payment(self, person: Holder, day: int, day_of_month: int) -> Row:
        draw = self.draw
        local = SHOPPING[int(draw() * len(SHOPPING))] + int(draw() * 60)
        at = day * DAY + (local - self.shifts[person.zone]) % DAY
        kind = draw()
        if day_of_month <= 5 and kind < 0.12:
            return self._row(person, at, person.rent, "bill", f"L{person.id[1:]}")
        if kind < 0.78:
            return self._row(
                person, at, 42 * person.scale * WIDE[int(draw() * 4096)], "bill", self.pick(person.billers)
            )
        if kind < 0.88:
            return self._row(person, at, 30 * person.scale * WIDE[int(draw() * 4096)], "bill", self.biller())
        if kind < 0.965:
            return self._row(person, at, 35 * WIDE[int(draw() * 4096)], "transfer", self.pick(person.friends))
        if kind < 0.98:
            return self._row(person, at, 40 * WIDE[int(draw() * 4096)], "refund", self.pick(person.billers))
        if kind < 0.994:
            return self._row(person, at, 60 * WIDE[int(draw() * 4096)], "bill", self.biller(), self.pick(ABROAD))
        return self._oddity(person, at)

    def _row(
        self, person: Holder, at: int, amount: float, kind: str, payee: str, country: str = "", fraud: str = "",
        device: str = "",
    ) -> Row:  # fmt: skip
        channel = "web" if person.balance > 9000 else "app"
        values = [
            person.id,
            f"{max(amount, 1.0):.2f}",
            kind,
            payee,
            person.country,
            country or person.country,
            "",
            channel,
            "approved",
            device or person.device,
            person.zone,
        ]
        return Row(at, values, fraud)

    def _oddity(self, person: Holder, at: int) -> Row:
        """Legitimate, and yet it looks like something."""
        kind = self.draw()
        if kind < 0.3:  # a used car, a deposit, a builder
            return self._row(person, at, self.between(1500, 8000), "transfer", f"X{self.whole(1, 99_999):06}")
        if kind < 0.36:  # a house
            return self._row(person, at, self.between(10_000, 60_000), "transfer", f"X{self.whole(1, 99_999):06}")
        if kind < 0.7:  # a new telephone
            person.device = f"{person.device[:-1]}{int(person.device[-1]) % 9 + 1}"
            return self._row(person, at, self.between(20, 1200), "bill", self.pick(person.billers))
        return self._row(
            person, at, self.between(200, 1800), "transfer", self.pick(person.friends)
        )  # a holiday, shared

    def settle(self, row: Row) -> list[str]:
        """Fill in the balance before the payment, and let the money move."""
        values = row.values
        person, amount = self.by_id[values[0]], float(values[1])
        if person.payday == row.at // DAY % 30 + 1:  # wages arrive from another bank
            person.balance = max(person.balance, round(person.salary * 1.1, 2))
        if not row.fraud and person.balance < amount and self.draw() < 0.97:  # people move savings before they pay
            person.balance = round(amount * self.between(1.1, 4), 2)
        values[6] = f"{person.balance:.2f}"
        back = values[2] == "refund"
        person.balance = round(max(0.0, person.balance + amount if back else person.balance - amount), 2)
        receiver = self.by_id.get(values[3])
        if receiver and not back:
            receiver.balance = round(receiver.balance + amount, 2)
        return values

    def _account_takeover(self, day: int) -> list[Row]:
        """A stranger's device empties an account towards one new payee, or many. The careful one takes little."""
        person, device = self.pick(self.people), f"dev-x{self.whole(100000, 999999)}"
        at = day * DAY + self.whole(0, DAY - 7200)
        kind = self.draw()
        if kind < 0.3:
            amount, payee = self.between(150, 700), f"X{self.whole(1, 99_999):06}"
            return [self._row(person, at, amount, "transfer", payee, "", "account_takeover", device)]
        payees = [f"X{self.whole(1, 99_999):06}" for _ in range(1 if kind < 0.8 else 6)]
        rows, pause = [], 20 if self.draw() < 0.3 else 400  # by a program, or by hand
        for n in range(self.whole(3, 7)):
            amount, payee = self.between(300, 1600), payees[n % len(payees)]
            rows.append(self._row(person, at, amount, "transfer", payee, "", "account_takeover", device))
            at += self.whole(2, pause)
        return rows

    def _mule(self, day: int) -> list[Row]:
        """Victims pay into an account whose owner sends it on within two days; the patient one waits a week."""
        mule, exit_ = self.pick(self.people), f"X{self.whole(1, 99_999):06}"
        rows, total = [], 0.0
        at = day * DAY + self.whole(0, DAY // 3)
        for _ in range(self.whole(1, 5)):
            victim, amount = self.pick(self.people), self.between(350, 1500)
            if victim is not mule:
                rows.append(self._row(victim, at, amount, "transfer", mule.id, "", "mule"))
                total += amount
                at += self.whole(600, 30_000)
        at += self.whole(3600, 50_000) if self.draw() < 0.75 else self.whole(5 * DAY, 7 * DAY)
        for share in (0.55, 0.38):
            country = self.pick(ABROAD) if self.draw() < 0.4 else ""
            rows.append(self._row(mule, at, total * share, "transfer", exit_, country, "mule"))
            at += self.whole(600, 9000)
        return rows

    def _structuring(self, day: int) -> list[Row]:
        """A large sum leaves in pieces that stay below 10,000; some keep further below it."""
        person, payee = self.pick(self.people), f"X{self.whole(1, 99_999):06}"
        low, high = (8200, 9950) if self.draw() < 0.75 else (6500, 7950)
        at, rows = day * DAY + self.whole(20_000, 60_000), []
        for _ in range(self.whole(3, 6)):
            amount = self.between(low, high)
            person.balance = round(person.balance + amount, 2)
            rows.append(self._row(person, at, amount, "transfer", payee, self.pick(("", "CY", "AE")), "structuring"))
            at += self.whole(30_000, 150_000)
        return rows

    def _refund_abuse(self, day: int) -> list[Row]:
        """Everything that is bought is claimed back."""
        person, at, rows = self.pick(self.people), day * DAY + self.whole(20_000, 60_000), []
        for _ in range(self.whole(4, 8)):
            rows.append(self._row(person, at, self.between(40, 320), "refund", self.biller(), "", "refund_abuse"))
            at += self.whole(30_000, 250_000)
        return rows

    def _false_invoice(self, day: int) -> list[Row]:
        """A payment meant for a known supplier goes to a new account, often abroad."""
        person, at = self.pick(self.people), day * DAY + self.whole(20_000, 70_000)
        country = self.pick(ABROAD) if self.draw() < 0.6 else ""
        amount = self.between(1800, 28_000)
        person.balance = round(person.balance + amount, 2)
        return [self._row(person, at, amount, "transfer", f"X{self.whole(1, 99_999):06}", country, "false_invoice")]

    def _overdraft(self, day: int) -> list[Row]:
        """Somebody about to vanish pays out more than the account holds."""
        person, at, rows = self.pick(self.people), day * DAY + self.whole(30_000, 70_000), []
        person.balance = round(self.between(20, 600), 2)
        for _ in range(self.whole(1, 3)):
            payee = f"X{self.whole(1, 99_999):06}"
            rows.append(self._row(person, at, self.between(1200, 6000), "transfer", payee, "", "overdraft"))
            at += self.whole(200, 4000)
        return rows

    def _persuaded(self, day: int) -> list[Row]:
        """The owner was talked into paying: own device, own hour, a modest sum."""
        person, at = self.pick(self.people), day * DAY + self.whole(20_000, 80_000)
        payee = f"X{self.whole(1, 99_999):06}"
        return [self._row(person, at, self.between(80, 1400), "transfer", payee, "", "persuaded")]


# Expenses ---------------------------------------------------------------------------------------------------------

OFFICES = ("delhi", "mumbai", "bengaluru")
TRAVEL = ("pune", "chennai", "hyderabad", "kolkata", "jaipur", "delhi", "mumbai", "bengaluru", "singapore", "london")
# Description, kind of merchant, merchant category, median amount, weight at home, weight on a trip.
CLAIMS = (
    ("lunch", "cafe", "5812", 340.0, 26, 20),
    ("dinner", "restaurant", "5812", 780.0, 6, 20),
    ("taxi", "taxi", "4121", 390.0, 26, 26),
    ("airport taxi", "taxi", "4121", 1150.0, 2, 10),
    ("fuel", "fuel", "5541", 1900.0, 7, 1),
    ("hotel", "hotel", "7011", 4300.0, 0, 16),
    ("flight", "airline", "4511", 5600.0, 1, 5),
    ("train ticket", "railway", "4112", 1350.0, 2, 5),
    ("stationery", "stationer", "5943", 620.0, 9, 1),
    ("courier", "courier", "4215", 280.0, 6, 1),
    ("printing", "printer", "7338", 450.0, 5, 1),
    ("team lunch", "restaurant", "5812", 2600.0, 4, 1),
    ("client dinner", "restaurant", "5812", 3400.0, 2, 4),
    ("software subscription", "software", "5734", 1500.0, 3, 0),
    ("mobile bill", "telecom", "4814", 720.0, 3, 0),
    ("training course", "academy", "8299", 6200.0, 0.5, 0),
)


class Employee:
    """An employee's office, grade and trips."""

    __slots__ = ("grade", "id", "merchants", "office", "scale", "trips")

    def __init__(self, world: Expenses, number: int) -> None:
        self.id = f"EMP{number:05}"
        self.office = world.pick(OFFICES)
        self.grade = world.pick(("junior", "junior", "junior", "senior", "senior", "manager"))
        self.scale = {"junior": 0.8, "senior": 1.0, "manager": 1.35}[self.grade] * world.pick(NARROW) ** 0.5
        self.merchants = world.whole(1, 6)
        self.trips: list[tuple[int, int, str]] = []
        if self.grade != "junior" or world.draw() < 0.3:
            for _ in range(max(1, world.days // 30)):
                leave = world.whole(0, world.days)
                self.trips.append((leave, leave + world.whole(0, 3), world.pick(TRAVEL)))


class Expenses(_World):
    """Employees of three offices who claim lunches, taxis and trips. Times are Indian, without a zone."""

    columns = ("employee_id", "amount", "currency", "location", "description", "merchant", "mcc", "receipt", "grade")
    zone = ""
    weekend = 0.12
    per_month = 18
    skew = 0.25  # busy or not, everybody has to eat

    def __init__(self, rng: random.Random, transactions: int, days: int, start: date) -> None:
        super().__init__(rng, transactions, days, start)
        self.receipts = 0
        self.at_home: list[float] = list(accumulate(claim[4] for claim in CLAIMS))
        self.on_trip: list[float] = list(accumulate(claim[5] for claim in CLAIMS))
        self.people = [Employee(self, number + 1) for number in range(self.size)]
        self.schemes = [
            (16, self._split_claims),
            (16, self._duplicate_claim),
            (16, self._gift_cards),
            (12, self._night_spending),
            (8, self._threshold_hugging),
            (8, self._invented_claims),
            (16, self._padded),
        ]

    def ordinary(self, day: int, wanted: int) -> list[Row]:
        """Claims by people's habits, now and then an oddity."""
        people = self.rng.choices(self.people, cum_weights=self.weights, k=wanted)
        return [self._claim(person, day) if self.draw() < 0.992 else self._oddity(person, day) for person in people]

    def _claim(self, person: Employee, day: int) -> Row:
        draw = self.draw
        place, weights = person.office, self.at_home
        for first, last, city in person.trips:
            if first <= day <= last:
                place, weights = city, self.on_trip
        claim = self.rng.choices(CLAIMS, cum_weights=weights)[0]
        at = day * DAY + OFFICE[int(draw() * len(OFFICE))] + int(draw() * 60)
        amount = claim[3] * person.scale * NARROW[int(draw() * 4096)]
        if draw() < 0.06:
            amount = max(50.0, 50.0 * round(amount / 50))
        return self._row(person, at, amount, place, claim[0], f"{claim[1]}-{place}-{self.whole(1, 8)}", claim[2])

    def _row(
        self, person: Employee, at: int, amount: float, place: str, description: str, merchant: str, mcc: str,
        fraud: str = "", receipt: str = "",
    ) -> Row:  # fmt: skip
        if not receipt:
            self.receipts += 1
            receipt = f"R{self.receipts:07}"
        return Row(
            at, [person.id, f"{amount:.2f}", "INR", place, description, merchant, mcc, receipt, person.grade], fraud
        )

    def _oddity(self, person: Employee, day: int) -> Row:
        """Legitimate, and yet it looks like something."""
        kind, at = self.draw(), day * DAY + self.pick(OFFICE)
        shop = f"shop-{person.office}-{self.whole(1, 8)}"
        if kind < 0.25:
            words = self.pick(("gift for a client", "gift for a retiring colleague", "vouchers for the survey"))
            return self._row(person, at, self.between(400, 4000), person.office, words, shop, "5947")
        if kind < 0.5:
            thing = self.pick(("laptop", "conference fee", "flight to the customer"))
            return self._row(person, at, self.between(9000, 60_000), person.office, thing, shop, "5732")
        if kind < 0.75:
            late = day * DAY + self.whole(0, 5 * 3600)
            return self._row(
                person, late, self.between(200, 1500), person.office, "taxi after the release", shop, "4121"
            )
        return self._row(person, at, self.between(8500, 9999), person.office, "workshop room", shop, "7011")

    def _split_claims(self, day: int) -> list[Row]:
        """One purchase above the limit becomes several below it. The careful spread it over days and shops."""
        person, careful = self.pick(self.people), self.draw() < 0.25
        what = self.pick(("office chairs", "monitors", "furniture", "event catering"))
        at, rows = day * DAY + self.whole(32_000, 62_000), []
        for n in range(self.whole(2, 4)):
            merchant = f"{what.split()[0]}-{person.office}-{n if careful else 1}"
            amount = self.between(5200, 9800)
            rows.append(
                self._row(person, at, amount, person.office, f"{what} part {n + 1}", merchant, "5712", "split_claims")
            )
            at += self.whole(60, 2000) if not careful else self.whole(2 * DAY, 3 * DAY)
        return rows

    def _duplicate_claim(self, day: int) -> list[Row]:
        """The same receipt again, by its owner or by a colleague; or the same purchase a little altered."""
        row = self._claim(self.pick(self.people), day)
        person, kind = self.pick(self.people), self.draw()
        values = list(row.values)
        values[7] = ""
        if kind < 0.35:
            values[7] = row.values[7]
        elif kind < 0.6:
            values[0], values[7], values[8] = person.id, row.values[7], person.grade
        elif kind < 0.75:
            values[1] = f"{float(values[1]) + self.whole(1, 40):.2f}"
        if not values[7]:
            self.receipts += 1
            values[7] = f"R{self.receipts:07}"
        return [row, Row(row.at + self.whole(1, 11) * DAY + self.whole(0, 2000), values, "duplicate_claim")]

    def _gift_cards(self, day: int) -> list[Row]:
        """Gift cards and games for oneself, in the evening, now and then called something harmless."""
        person, rows = self.pick(self.people), []
        words = self.pick(
            ("gift card", "Amazon Gift Card", "gaming console", "voucher", "crypto top-up", "online order")
        )
        at = day * DAY + self.whole(66_000, 80_000)
        for _ in range(self.whole(1, 3)):
            amount = self.pick((1000.0, 2000.0, 2500.0, 5000.0, 10_000.0, 12_000.0))
            rows.append(self._row(person, at, amount, person.office, words, "marketplace", "5947", "gift_cards"))
            at += self.whole(20, 1500)
        return rows

    def _night_spending(self, day: int) -> list[Row]:
        """A private night out on the company's card."""
        person = self.pick(self.people)
        at, rows = day * DAY + self.whole(0, 4 * 3600), []
        mcc, words = self.pick((("5813", "client drinks"), ("7995", "casino"), ("5921", "wine"), ("5812", "dinner")))
        for _ in range(self.whole(1, 4)):
            rows.append(
                self._row(
                    person,
                    at,
                    self.between(1500, 9500),
                    person.office,
                    words,
                    f"club-{person.office}",
                    mcc,
                    "night_spending",
                )
            )
            at += self.whole(900, 4000)
        return rows

    def _threshold_hugging(self, day: int) -> list[Row]:
        """Week after week a claim that just needs no approval."""
        person, at, rows = self.pick(self.people), day * DAY + self.whole(36_000, 60_000), []
        for n in range(self.whole(3, 5)):
            amount, shop = self.between(9050, 9990), f"consultant-{person.office}-{n}"
            rows.append(self._row(person, at, amount, person.office, "consulting", shop, "7392", "threshold_hugging"))
            at += self.whole(3 * DAY, 5 * DAY)
        return rows

    def _invented_claims(self, day: int) -> list[Row]:
        """Cash expenses that never were: round amounts, no shop to ask."""
        person, at, rows = self.pick(self.people), day * DAY + self.whole(32_000, 62_000), []
        for _ in range(self.whole(3, 6)):
            amount = self.whole(2, 14) * 500.0
            rows.append(
                self._row(person, at, amount, person.office, "local conveyance", "cash", "4121", "invented_claims")
            )
            at += self.whole(DAY // 2, 2 * DAY)
        return rows

    def _padded(self, day: int) -> list[Row]:
        """An ordinary claim made a third larger: nothing in it tells."""
        row = self._claim(self.pick(self.people), day)
        values = list(row.values)
        values[1] = f"{float(values[1]) * self.between(1.2, 1.6):.2f}"
        return [Row(row.at, values, "padded")]


_WORLDS: dict[str, type[_World]] = {"expenses": Expenses, "payments": Payments, "cards": Cards}
RULESETS = tuple(_WORLDS)
