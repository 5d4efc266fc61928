"""What the golden streams are decided to be. `python -m tests.golden.update` shows what changed; `--write` accepts it.

    NAME.csv        the stream for a shipped ruleset: a fortnight of `fraudline.generator` (seeds 57, 7, 30), then rows
                    written by hand: edges, ids that look like numbers, amounts that are none, repetitions
    NAME.late.csv   what arrives after it: repetitions, and transactions that are late, or far too late
    NAME.json       the receipts' counts, the rejected rows, and the facts of every decision, in order of the log
    document.json   one decision as it is shown: TXN001

The streams are fixed: rows may be added at their end. What depends on the machine, the day or the version of the
package is not in these files, so that any path (command line, API, a worker) can be held against them.
"""

from __future__ import annotations

import difflib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from fraudline import wiring
from fraudline.domain.decision import Decision
from fraudline.domain.receipt import Counts, Receipt
from fraudline.engine import explain
from fraudline.engine.compile import Program, program
from fraudline.pipeline import Run, process_file
from fraudline.settings import Settings

HERE = Path(__file__).parent
RULESETS = ("expenses", "payments", "cards")
SHOWN = ("expenses", "TXN001")
RECEIVED_AT = 1_800_000_000_000  # 2027-01-15T08:00:00Z


def score(name: str, workspace: Path) -> tuple[Program, list[Receipt], list[Decision]]:
    """The golden streams of a ruleset scored into a fresh workspace, as `fraudline score` does it, at a fixed time."""
    ruleset = wiring.find_ruleset(name, workspace)
    receipts = []
    with wiring.deciding(workspace, ruleset, Settings(), 0) as desk:
        revision = desk.store.activate(ruleset, RECEIVED_AT)
        for file in (f"{name}.csv", f"{name}.late.csv"):
            with desk.open(str(HERE / file)) as source:
                receipt = desk.store.begin(_receipt(file, name, source.sha256))
                run = Run(desk.program, desk.store, desk.histories, revision, RECEIVED_AT, receipt.source, "golden")
                reader = desk.reader(RECEIVED_AT, source.sha256)
                receipts.append(process_file(source, reader, desk.ordering(), run, receipt))
        return program(ruleset), receipts, desk.store.log()


def _receipt(file: str, ruleset: str, sha256: str) -> Receipt:
    return Receipt(
        source="", file=file, sha256=sha256, ruleset=ruleset, received_at=RECEIVED_AT, counts=Counts(), levels={},
        outcomes={},
    )  # fmt: skip


def summary(receipt: Receipt) -> dict[str, Any]:
    """A receipt without what names the run."""
    counts = {name: getattr(receipt.counts, name) for name in Counts.__struct_fields__}
    rejected = [[one.line, one.column, one.code, one.reason] for one in sorted(receipt.rejected, key=lambda r: r.line)]
    return {"file": receipt.file, "counts": counts, "levels": receipt.levels, "outcomes": receipt.outcomes,
            "alerts": receipt.alerts, "unsorted": receipt.unsorted, "rejected": rejected}  # fmt: skip


def told(made: Program, decision: Decision) -> dict[str, Any]:
    """One decision's facts in words."""
    known = explain.unpack(made, decision.facts)
    names = [rule.id for rule in made.ruleset.rules]
    return {
        "id": decision.transaction_id,
        "row": decision.row,
        "outcome": known.outcome,
        "level": known.level,
        "score": known.score,
        "alert": known.alert,
        "fired": [names[r] for r in known.fired],
        "unknown": [names[r] for r in known.unknown],
        "suppressed": [names[r] for r in known.suppressed],
        "degraded": list(known.degraded),
        "late_ms": known.late_ms,
        "covered_ms": known.covered_ms,
        "features": ["infinite" if value == float("inf") else value for value in known.features],
        "hash": decision.hash.hex()[:16],
    }


def decisions(made: Program, receipts: list[Receipt], log: list[Decision]) -> str:
    """The file of a ruleset's decisions: one line each, so that a difference is a line."""
    slots = [slot.label() for slot in made.slots]
    return (
        f'{{"features": {_line(slots)},\n "receipts": {_lines([summary(receipt) for receipt in receipts])},\n'
        f' "decisions": {_lines([told(made, one) for one in log])}}}\n'
    )


def document(made: Program, decision: Decision) -> str:
    """A decision as it is shown, but for the versions of package and data."""
    shown = explain.document(made, decision)
    del shown["engine"], shown["versions"]["data"]
    return json.dumps(shown, ensure_ascii=False, indent=1) + "\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(values: list[Any]) -> str:
    return "[\n  " + ",\n  ".join(map(_line, values)) + "\n ]"


def files() -> dict[str, str]:
    """Every golden file as the code would write it now."""
    made: dict[str, str] = {}
    for name in RULESETS:
        with tempfile.TemporaryDirectory() as folder:
            ready, receipts, log = score(name, Path(folder))
        made[f"{name}.json"] = decisions(ready, receipts, log)
        if name == SHOWN[0]:
            (shown,) = (one for one in log if one.transaction_id == SHOWN[1])
            made["document.json"] = document(ready, shown)
    return made


def difference(name: str, now: str) -> str:
    """What would change in a golden file, line by line."""
    file = HERE / name
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = difflib.unified_diff(
        before.splitlines(), now.splitlines(), f"{name} as it is", f"{name} as decided now", n=0
    )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print what changed; write it where asked to. 1 where something changed and was not written."""
    if set(arguments) - {"--write"}:
        print(__doc__)  # noqa: T201 - a command that people run
        return 2
    changed = {name: now for name, now in files().items() if difference(name, now)}
    for name, now in changed.items():
        print(difference(name, now))  # noqa: T201 - the difference is what this command is for
        if "--write" in arguments:
            (HERE / name).write_text(now, encoding="utf-8")
    return 1 if changed and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
