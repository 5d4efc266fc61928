"""Every measurement of the table: each function returns its lines. Ratios compare runs that took turns."""

from __future__ import annotations

import math
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import engine, racing, rules_alone
from benchmarks.children import Ran, fraudline, probe
from benchmarks.contenders import ALL, ENGINE, Contender
from benchmarks.engine import csv_file, parquet_file
from benchmarks.goals import Line, at_least, at_most, note
from benchmarks.workload import folder

TEN_MILLION = 10_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    quick: bool
    extra: bool

    def of(self, full: int, quick: int) -> int:
        """The full figure, or the quick one."""
        return quick if self.quick else full

    @property
    def rounds(self) -> int:
        """How often runs take turns."""
        return self.of(3, 2)


# ---- features and rules ----------------------------------------------------------------------------------------------


def throughput(size: Size) -> list[Line]:
    """Features and twelve rules on W: the engine against its ceiling and its peers, all on the same rows."""
    lines = []
    peers = [one for one in ALL[1:] if one.goal and not one.extra and not one.missing()]
    lines += [note(one.name, one.missing()) for one in ALL if one.missing() and (size.extra or not one.extra)]
    lines += _compared(peers, size.of(ENGINE.rows, ENGINE.quick), size)
    if size.extra:
        for one in ALL:
            if one.extra and not one.missing():
                lines += _compared([one], size.of(one.rows, one.quick), size)[1:]
    return lines


def _compared(peers: list[Contender], rows: int, size: Size) -> list[Line]:
    own, *others = racing.race([ENGINE, *peers], rows, size.rounds)
    lines = [note(f"features + 12 rules, {rows:,} of W, compiled", f"{own.per_second:,.0f}/s, {own.peak_mib:,.0f} MiB")]
    for other in others:
        faster = statistics.median(b / a for a, b in zip(own.cpu, other.cpu, strict=True))
        measured = f"{faster:.2f} x its {other.per_second:,.0f}/s"
        wanted = other.contender.goal
        lines.append(at_least(f"  against {other.contender.name}", f">= {wanted:g} x", measured, faster, wanted))
    return lines


def plain(size: Size) -> list[Line]:
    """The same without Numba; the hand-fused kernel checks its decisions."""
    rows = size.of(100_000, 20_000)
    contender = next(one for one in ALL if one.module == "engine_plain")
    witnesses = [one for one in ALL if one.module == "hand_fused" and not one.missing()]
    own, *_ = racing.race([contender, *witnesses], rows, size.rounds)
    return [
        at_least(
            f"features + 12 rules, {rows:,} of W, plain", ">= 20,000/s", f"{own.per_second:,.0f}/s", own.per_second, 2e4
        )
    ]


def latency(size: Size) -> list[Line]:
    """One decision in process, from the raw record to its facts, in histories that are warm."""
    lines = []
    for mode, warm, limits in (("compiled", 200_000, (150, 500)), ("plain", 20_000, (500, 2_000))):
        found = [probe("single", mode, size.of(warm, warm // 5), size.of(20_000, 3_000)) for _ in range(size.rounds)]
        for name, limit in zip(("p50", "p99"), limits, strict=True):
            value, alone, cpu = (
                statistics.median(one[kind][name] for one in found) for kind in ("with_intake", "deciding", "cpu")
            )
            measured = f"{value:,.0f} us ({alone:,.0f} deciding; {cpu:,.0f} us of processor time)"
            lines.append(at_most(f"one decision, 30 rules, {mode}, {name}", f"<= {limit} us", measured, value, limit))
    return lines


def rules(size: Size) -> list[Line]:
    """Twelve rules on features that are there already."""
    return rules_alone.lines(size.of(50_000, 10_000), size.rounds)


# ---- files -----------------------------------------------------------------------------------------------------------


def _workspace(name: str) -> Path:
    path = folder() / name
    shutil.rmtree(path, ignore_errors=True)
    return path


def _scored(rows: int, workspace: Path) -> Ran:
    file, ruleset = str(csv_file(rows)), str(engine.HERE / "w.yaml")
    return fraudline("--workspace", str(workspace), "--quiet", "score", file, "--ruleset", ruleset, "--format", "json")


def score(size: Size) -> list[Line]:
    """From a CSV file to durable decisions, against SQLite inserting the same bytes without any thought."""
    rows = size.of(500_000, 60_000)
    ours, theirs, indexed, cpus, peaks = [], [], [], [], []
    for _ in range(size.rounds):
        workspace = _workspace("score")
        run = _scored(rows, workspace)
        inserted = probe("bare", workspace / "fraudline.db", engine.BATCH_ROWS)
        if inserted["rows"] != rows:
            raise racing.WrongDecisions(f"score stored {inserted['rows']} of {rows} transactions")
        ours.append(run.wall)
        cpus.append(run.cpu)
        peaks.append(run.peak_mib)
        theirs.append(inserted["bare"]["wall"])
        indexed.append(inserted["indexed"]["wall"])
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    with_indexes = statistics.median(b / a for a, b in zip(ours, indexed, strict=True))
    speed, bare = rows / statistics.median(ours), rows / statistics.median(theirs)
    measured = f"{ratio:.2f} x ({speed:,.0f}/s against {bare:,.0f}/s)"
    return [
        at_least(f"score, CSV of {rows:,} to SQLite (FULL)", ">= 0.5 x bare insert", measured, ratio, 0.5),
        note("  against an insert into the same table with its indexes", f"{with_indexes:.2f} x"),
        note("  processor time, most memory", f"{rows / statistics.median(cpus):,.0f}/s, {max(peaks):,.0f} MiB"),
    ]


def file_memory(size: Size) -> list[Line]:
    """What a file costs in memory beyond the histories it leaves behind."""
    small, large = size.of(200_000, 40_000), size.of(1_000_000, 120_000)
    held = {}
    for rows in (small, large):
        csv_file(rows)
        held[rows] = _scored(rows, _workspace("memory")).peak_mib - probe("fold", "W", rows, 600)["mib"]
    megabytes = {rows: f"{csv_file(rows).stat().st_size / 1e6:,.0f} MB" for rows in held}
    name = f"score of {megabytes[large]}: memory beyond the histories"
    return [
        at_most(name, "<= 300 MB for 1.2 GB", f"{held[large]:,.0f} MiB", held[large], 300),
        note(
            "  the same for a smaller file",
            f"{held[small]:,.0f} MiB for {megabytes[small]}",
        ),
    ]


def restart(size: Size) -> list[Line]:
    """Histories back in memory: from a snapshot, and from the log alone. Ten million are extrapolated."""
    rows = size.of(1_000_000, 60_000)
    workspace = _workspace("restart")
    _scored(rows, workspace)
    ruleset, snapshots = engine.HERE / "w.yaml", workspace / "snapshots"
    aside = workspace / "aside"
    warm, replayed = [], []
    for _ in range(size.rounds):
        if snapshots.exists() and any(snapshots.iterdir()):
            warm.append(probe("restart", workspace, ruleset)["load"])
            snapshots.rename(aside)
        replayed.append(probe("restart", workspace, ruleset)["load"])
        if aside.exists():
            shutil.rmtree(snapshots, ignore_errors=True)
            aside.rename(snapshots)
    lines = []
    for name, times, limit in (("a snapshot", warm, 5), ("replay", replayed, 30)):
        if not times:
            lines.append(note(f"restart from {name}", "no snapshot was written", f"<= {limit} s"))
            continue
        seconds = statistics.median(times)
        whole = seconds * TEN_MILLION / rows
        measured = f"{whole:,.1f} s (extrapolated: {rows:,} took {seconds:.2f} s)"
        lines.append(at_most(f"restart of 10 M from {name}", f"<= {limit} s", measured, whole, limit))
    return lines


def start(size: Size) -> list[Line]:
    """What a person waits for before anything happens."""
    times = size.of(9, 5)
    csv_file(10)
    fraudline("--help")  # Python compiles once what it imports
    _scored(10, _workspace("start"))
    helped, scored = [], []
    for _ in range(times):
        helped.append(fraudline("--help"))
        scored.append(_scored(10, _workspace("start")))
    lines = []
    for name, runs, limit in (("fraudline --help", helped, 0.4), ("fraudline score of 10 rows", scored, 1.5)):
        wall, cpu = statistics.median(run.wall for run in runs), statistics.median(run.cpu for run in runs)
        measured = f"{wall:.2f} s ({cpu:.2f} s of processor time)"
        lines.append(at_most(name, f"<= {limit} s", measured, wall, limit))
    return lines


def backtest(size: Size) -> list[Line]:
    """30 rules and 20 windows over W, from Parquet to the report."""
    rows = size.of(2_000_000, 100_000)
    try:
        fraudline("backtest", "--help")
    except RuntimeError:
        return [note("backtest of W", "fraudline backtest does not exist yet", ">= 250,000/s, <= 1.5 GB")]
    out = _workspace("backtest")
    out.mkdir()
    ran = fraudline(
        "--workspace",
        str(out),
        "--quiet",
        "backtest",
        str(parquet_file(rows)),
        "--ruleset",
        str(engine.HERE / "wide.yaml"),
    )
    speed = rows / ran.wall
    return [
        at_least(f"backtest of {rows:,}, 30 rules, 20 windows", ">= 250,000/s", f"{speed:,.0f}/s", speed, 250_000),
        at_most("  its memory", "<= 1.5 GB", f"{ran.peak_mib:,.0f} MiB", ran.peak_mib, 1536),
    ]


# ---- growth and shapes -----------------------------------------------------------------------------------------------


def growth(size: Size) -> list[Line]:
    """1x, 10x, 100x transactions and accounts: the exponent of time is 1 where time is linear."""
    sizes = [size.of(20_000, 5_000) * factor for factor in (1, 10, 100)]
    if size.extra:
        sizes.append(sizes[-1] * 10)
    found = {
        rows: statistics.median(probe("fold", "W", rows, 600)["cpu"] for _ in range(size.rounds)) for rows in sizes
    }
    lines = [note(f"W of {rows:,}", f"{seconds / rows * 1e6:.2f} us each") for rows, seconds in found.items()]
    first, last = sizes[0], sizes[-1]
    exponent = math.log(found[last] / found[first]) / math.log(last / first)
    return [
        *lines,
        at_most(f"growth of time, {last // first} x", "linear (exponent <= 1.1)", f"{exponent:.2f}", exponent, 1.1),
    ]


def memory(size: Size) -> list[Line]:
    """Resident memory of the histories, by transactions they retain (2 entities, 6 derived columns)."""
    points = []
    for rows in (size.of(500_000, 50_000), size.of(1_000_000, 100_000), size.of(2_000_000, 200_000)):
        found = probe("fold", "W", rows, 600)
        points.append((found["retained"], found["mib"]))
    slope, base = statistics.linear_regression(*zip(*points, strict=True))
    whole = max(base + slope * TEN_MILLION, points[-1][1] / points[-1][0] * TEN_MILLION)
    told = ", ".join(f"{mib * 2**20 / rows:,.0f} B" for rows, mib in points)
    names = ", ".join(f"{rows:,}" for rows, _ in points)
    return [
        at_most(
            "10 M retained, 2 entities, 6 columns", "<= 3 GB", f"{whole / 1024:.1f} GB (extrapolated)", whole, 3072
        ),
        note(f"  each, of {names} retained", told),
    ]


def shapes(size: Size) -> list[Line]:
    """Hot and hostile streams, each against W of as many rows."""
    lines = []
    for shape, full, quick in (
        ("one merchant", 1_000_000, 100_000),
        ("accounts with one row", 1_000_000, 100_000),
        ("reversed arrival", 200_000, 50_000),
        ("one instant", 10_000, 10_000),
    ):
        rows = size.of(full, quick)
        times = []
        for _ in range(size.rounds):
            usual, odd = probe("fold", "W", rows, 120), probe("fold", shape, rows, 120)
            times.append((odd["cpu"] / odd["rows"]) / (usual["cpu"] / usual["rows"]))
        ratio = statistics.median(times)
        stopped = "" if odd["rows"] >= rows else f", stopped after {odd['rows']:,}"
        each = f"{ratio:.1f} x ({odd['cpu'] / odd['rows'] * 1e6:.1f} us each{stopped})"
        lines.append(at_most(f"{shape}, {rows:,} rows", "<= 3 x W", each, ratio, 3))
    return lines


MEASURES: dict[str, Callable[[Size], list[Line]]] = {
    "throughput": throughput,
    "plain": plain,
    "rules": rules,
    "latency": latency,
    "score": score,
    "file-memory": file_memory,
    "backtest": backtest,
    "growth": growth,
    "shapes": shapes,
    "memory": memory,
    "restart": restart,
    "start": start,
}
