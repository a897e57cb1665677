"""reports/ingest.json: what became of every row, per source and in total. Only what a second run reproduces."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb

from pipelines.errors import PipelineError, QuarantineError, SourceError
from pipelines.ingest.files import SourceFile
from pipelines.params import Source

OUTCOMES: Final = ("accepted", "duplicates", "bots", "filtered", "quarantined")
Report = dict[str, Any]


def build(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    files: Sequence[SourceFile],
    missing: Mapping[int, Sequence[str] | None],
) -> Report:
    """Returns the report; ``missing`` lists by file the mapped columns it lacks."""
    entries = []
    for position, source in enumerate(sources):
        own = [file for file in files if file.source == position]
        entry = {"path": shown(source.path), "format": source.format, **_counts(connection, own)}
        entry["missing_columns"] = {
            file.name: [*(missing[file.index] or ())] for file in own if missing.get(file.index)
        }
        entry["files"] = [
            {
                "file": file.name,
                **{name: count for name, count in _counts(connection, [file]).items() if isinstance(count, int)},
            }
            for file in own
        ]
        entries.append(entry)
    return {"total": _counts(connection, files), "sources": entries}


def check_conserved(report: Report, n_written: int) -> None:
    """Raises AssertionError if a row was lost or made: that is our own mistake, never the data's."""
    for counts in (
        report["total"],
        *report["sources"],
        *(file for source in report["sources"] for file in source["files"]),
    ):
        assert sum(counts[outcome] for outcome in OUTCOMES) == counts["rows_read"], "rows are not conserved"
    assert report["total"]["accepted"] == n_written, "not every accepted row was written"


def refusal(report: Report, max_rejected_share: float) -> PipelineError | None:
    """Returns why a run must not replace the events: its quarantine is too large, or nothing is left; else None."""
    total = report["total"]
    if total["rows_read"] == 0:
        return SourceError("the sources hold no row: check ingest.sources; reports/ingest.json lists the files")
    if total["quarantined"] > max_rejected_share * total["rows_read"]:
        reasons = ", ".join(
            f"{n} {name}" for name, n in sorted(total["reasons"].items(), key=lambda one: (-one[1], one[0]))
        )
        return QuarantineError(
            f"{total['quarantined']} of {total['rows_read']} rows were quarantined ({reasons}), more than "
            f"ingest.max_rejected_share = {max_rejected_share} allows; artifacts/quarantine.parquet names file, line "
            "and reason of each. Correct the source or its mapping, or raise the share; the events of the last run are "
            "untouched"
        )
    if total["accepted"] == 0:
        return SourceError(f"no event is left: {summary(report)}; check ingest.window and ingest.bots")
    return None


def summary(report: Report) -> str:
    """Returns one line for people."""
    total = report["total"]
    return f"{total['rows_read']} rows read: " + ", ".join(f"{total[outcome]} {outcome}" for outcome in OUTCOMES)


def _counts(connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile]) -> Report:
    indexes = [file.index for file in files]
    found = connection.execute(
        """SELECT outcome, name, sum(n)::BIGINT FROM outcomes
           WHERE list_contains($1::UINTEGER[], file) GROUP BY ALL ORDER BY ALL""", [indexes]
    ).fetchall()  # fmt: skip
    finds = connection.execute(
        "SELECT kind, sum(n)::BIGINT FROM finds WHERE list_contains($1::UINTEGER[], file) AND n > 0 "
        "GROUP BY ALL ORDER BY ALL",
        [indexes],
    ).fetchall()
    rows_read = connection.execute(
        "SELECT coalesce(sum(n), 0)::BIGINT FROM rows_read WHERE list_contains($1::UINTEGER[], file)", [indexes]
    ).fetchall()[0][0]
    totals = {outcome: sum(n for kind, _, n in found if kind == outcome) for outcome in OUTCOMES}
    return {
        "rows_read": rows_read,
        **totals,
        "reasons": {name: n for outcome, name, n in found if outcome == "quarantined"},
        "filters": {name: n for outcome, name, n in found if outcome == "filtered"},
        "bot_rules": {name: n for outcome, name, n in found if outcome == "bots"},
        "scrubbed": dict(finds),
    }


def shown(path: str) -> str:
    """An absolute path by its last part: the report must not tell where a machine keeps things."""
    return path.rsplit("/", 1)[-1] if path.startswith("/") else path
