"""reports/ingest.json: what became of every row, per source and in total. Only what a second run reproduces."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import duckdb

from pipelines.errors import PipelineError, QuarantineError, SourceError
from pipelines.ingest.files import SourceFile
from pipelines.params import Source

OUTCOMES: Final = ("accepted", "duplicates", "bots", "filtered", "quarantined")
Report = dict[str, Any]
Tally = tuple[int, str, str, int]
"""A file's index, an outcome, the name of a rule or a reason, rows."""

CLEAR_MAJORITY: Final = 2
"""Times the values of the column that fed a canonical one so far, from which another one feeds it: two trackers that
send side by side under two names are no change from day to day, the last senders of an old name hide none."""
MIN_EMPTY_ROWS: Final = 1000
MIN_SHARE: Final = 0.01
MIN_VALUES: Final = 10
"""A column has vanished when 1000 rows in a row, over as many files as that takes, hold none of its values, although at
least 1 % of the rows since it last appeared or changed did, and 10 of them: rarer ones are absent by chance. A header
that lacks the column leaves nothing to chance."""
MOST_SHOWN: Final = 10


@dataclass
class FileColumns:
    """What the columns of one file give.

    Attributes:
        mapping: canonical name -> source columns, the preferred first.
        possible: canonical name -> those of its source columns that the file may have.
        missing: mapped columns that the file lacks; null until its rows have told.
        unread: what its header or first rows show and no mapping reads, as it may be shown.
        n_rows: rows that could be taken apart.
        given: canonical name -> source column -> rows in which it gave the value.
        unmapped: those of ``unread`` that the source's first file does not have.
    """

    mapping: Mapping[str, Sequence[str]] = field(default_factory=dict)
    possible: Mapping[str, Sequence[str]] = field(default_factory=dict)
    missing: Sequence[str] | None = ()
    unread: Sequence[str] = ()
    n_rows: int = 0
    given: dict[str, dict[str, int]] = field(default_factory=dict)
    unmapped: Sequence[str] = ()


def build(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    files: Sequence[SourceFile],
    columns: Mapping[int, FileColumns],
) -> Report:
    """Returns the report; ``columns`` says by file, of those that have any, what they give."""
    entries = []
    by_file: dict[int, list[Tally]] = {file.index: [] for file in files}
    untrusted = _untrusted(connection)
    for tally in _tallies(connection):
        by_file[tally[0]].append(tally)
    for position, source in enumerate(sources):
        own = [file for file in files if file.source == position]
        entry = {
            "path": shown(source.path),
            "format": source.format,
            **_counts(chain.from_iterable(by_file[file.index] for file in own)),
        }
        read = [(file.name, columns[file.index]) for file in own if file.index in columns]
        entry["missing_columns"] = {name: [*found.missing] for name, found in read if found.missing}
        entry["columns"] = _given([found for _, found in read])
        entry["changes"] = changes(read)
        entry["untrusted_clocks"] = untrusted.get(position, {})
        entry["unmapped"] = {name: [*found.unmapped] for name, found in read if found.unmapped}
        entry["files"] = [
            {
                "file": file.name,
                **{name: count for name, count in _counts(by_file[file.index]).items() if isinstance(count, int)},
            }
            for file in own
        ]
        entries.append(entry)
    return {"total": _counts(chain.from_iterable(by_file.values())), "sources": entries}


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


def changes(read: Sequence[tuple[str, FileColumns]]) -> list[Report]:
    """Returns where a canonical column is fed by another source column than in the files before, in reading order.

    ``from`` is null where it appeared, ``to`` is null where it vanished.
    """
    names = dict.fromkeys(name for _, columns in read for name in columns.mapping)
    found = [change for name in names for change in _changes_of(name, read)]
    return [
        {"file": read[position][0], "column": name, "from": before, "to": after}
        for position, name, before, after in sorted(found, key=lambda change: change[0])
    ]


def _changes_of(
    name: str, read: Sequence[tuple[str, FileColumns]]
) -> Iterator[tuple[int, str, str | None, str | None]]:
    feeder: str | None = None
    is_first, gone_at, n_values, n_rows, n_empty = True, None, 0, 0, 0  # values and rows since the last change
    for position, (_, columns) in enumerate(read):
        held = {column: n for column, n in columns.given.get(name, {}).items() if n}
        n_rows += columns.n_rows
        if held:
            before, most = feeder, max(held, key=held.__getitem__)
            if feeder not in held or held[most] >= CLEAR_MAJORITY * held[feeder]:
                feeder = most
            if feeder != before:
                n_values, n_rows = 0, columns.n_rows
                if not is_first:
                    yield position, name, before, feeder
            n_values, n_empty, gone_at = n_values + sum(held.values()), 0, None
        elif feeder is not None and columns.n_rows:
            is_certain = name not in columns.possible
            n_empty, gone_at = n_empty + columns.n_rows, position if gone_at is None or is_certain else gone_at
            is_due = n_values >= max(MIN_VALUES, MIN_SHARE * (n_rows - n_empty))
            if is_certain or (n_empty >= MIN_EMPTY_ROWS and is_due):
                yield gone_at, name, feeder, None
                feeder, gone_at, n_empty = None, None, 0
        is_first = is_first and not columns.n_rows


def warnings(report: Report) -> list[str]:
    """Returns a line for every column that vanished, and for every file with columns of unknown meaning."""
    found = []
    for source in report["sources"]:
        vanished: dict[str, list[str]] = {}
        for change in source["changes"]:
            if change["to"] is None:
                vanished.setdefault(change["file"], []).append(change["column"])
                found.append(
                    f"{change['file']}: {change['column']} has no value any more ({change['from']} gave it before); "
                    "if the source renamed it, list both names in `columns` of ingest.sources"
                )
        found += [
            f"{source['path']}: {share:.0%} of the events would be {rule}: no device's clock is wrong there, but "
            "received_ts is no time of receipt, or `timezone` is wrong; no time was corrected by this rule"
            for rule, share in source["untrusted_clocks"].items()
        ]
        for file, columns in source["unmapped"].items():
            rest = f" and {len(columns) - MOST_SHOWN} more" if len(columns) > MOST_SHOWN else ""
            gone = f"; {', '.join(vanished[file])} vanished in the same file" if file in vanished else ""
            shown_columns = ", ".join(columns[:MOST_SHOWN])
            found.append(f"{file}: new since the first file, and read by no mapping: {shown_columns}{rest}{gone}")
    return found


def _given(read: Sequence[FileColumns]) -> dict[str, dict[str, int]]:
    """By canonical name the rows, of those that could be taken apart, in which each source column gave the value."""
    mapping = read[0].mapping if read else {}
    return {
        name: {column: sum(found.given.get(name, {}).get(column, 0) for found in read) for column in columns}
        for name, columns in mapping.items()
    }


def summary(report: Report) -> str:
    """Returns one line for people."""
    total = report["total"]
    return f"{total['rows_read']} rows read: " + ", ".join(f"{total[outcome]} {outcome}" for outcome in OUTCOMES)


def _tallies(connection: duckdb.DuckDBPyConnection) -> list[Tally]:
    """Returns all counts: of rows read (under that name), of their outcomes, and of what was scrubbed in them."""
    found = connection.execute(
        """SELECT file, 'rows_read', '', sum(n)::BIGINT FROM rows_read GROUP BY ALL
           UNION ALL SELECT file, outcome, name, sum(n)::BIGINT FROM outcomes GROUP BY ALL
           UNION ALL SELECT file, 'corrected', rule, n FROM corrected
           UNION ALL SELECT file, 'scrubbed', kind, sum(n)::BIGINT FROM finds WHERE n > 0 GROUP BY ALL ORDER BY ALL"""
    )
    return [(file, outcome, name, n) for file, outcome, name, n in found.fetchall()]


def _untrusted(connection: duckdb.DuckDBPyConnection) -> dict[int, dict[str, float]]:
    """Returns by source the clock rules that judged too many of its events, and the share that they judged."""
    found: dict[int, dict[str, float]] = {}
    for position, rule, share in connection.execute("FROM untrusted ORDER BY ALL").fetchall():
        found.setdefault(position, {})[rule] = round(share, 4)
    return found


def _counts(tallies: Iterable[Tally]) -> Report:
    by_name: dict[str, Counter[str]] = {name: Counter() for name in ("rows_read", *OUTCOMES, "corrected", "scrubbed")}
    for _, outcome, name, n in tallies:
        by_name[outcome][name] += n
    named = {outcome: dict(sorted(counts.items())) for outcome, counts in by_name.items()}
    return {
        "rows_read": by_name["rows_read"].total(),
        **{outcome: by_name[outcome].total() for outcome in OUTCOMES},
        "reasons": named["quarantined"],
        "filters": named["filtered"],
        "bot_rules": named["bots"],
        "duplicate_rules": named["duplicates"],
        "corrected": named["corrected"],
        "scrubbed": named["scrubbed"],
    }


def shown(path: str) -> str:
    """An absolute path by its last part: the report must not tell where a machine keeps things."""
    return path.rsplit("/", 1)[-1] if path.startswith("/") else path
