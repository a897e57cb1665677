"""ingest --explain: what a run would read, map, leave out and reject, by source and file. It writes nothing.

Everything is read, as the run would, so that the counts and the exit code are the run's. Only counts, names of columns
and of files are printed, no value of a row.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import duckdb

from pipelines.ingest import gather, ids, report
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import FIELDS
from pipelines.ingest.gather import Gathered
from pipelines.ingest.report import FileColumns, Report
from pipelines.ingest.settle import settle
from pipelines.params import Ingest
from pipelines.paths import Workspace

COLUMNAR: Final = ("csv", "jsonl", "parquet")  # the other formats map names of several versions; no file has them all
Present = dict[int, dict[str, int]]
"""By a file's index, the rows that could be taken apart (``all_rows``) and those that hold each canonical name."""
GROUPS: Final = {
    "duplicates": "duplicate_rules",
    "corrected": "corrected",
    "filtered": "filters",
    "quarantined": "reasons",
    "bots": "bot_rules",
}


def run(workspace: Workspace, block: Ingest, seed: int) -> None:
    """Prints what ingest would do.

    Raises:
        SourceError: as the run would.
        QuarantineError: as the run would.
    """
    del seed  # nothing here is random
    found = gather.find(workspace.root, block.sources)
    secret = ids.key(workspace.data / "demo_bank.json", [file.path for file in found])
    with tempfile.TemporaryDirectory() as scratch, gather.connect(Path(scratch), secret) as connection:
        gathered = gather.read(connection, block, found, secret)
        settle(connection, block, found, workspace.forgotten)
        counted = report.build(connection, block.sources, gathered.files, gathered.columns)
        present = _present(connection)
        for position, source in enumerate(counted["sources"]):
            files = [file for file in gathered.files if file.source == position]
            print("\n".join(["", *_source(source, files, gathered, present)]))
    for warning in report.warnings(counted):
        print(f"\nwarning: {warning}")
    print(f"\n{report.summary(counted)}; nothing was written")
    if refusal := report.refusal(counted, block.max_rejected_share):
        raise refusal


def _source(source: Report, files: Sequence[SourceFile], gathered: Gathered, present: Present) -> Iterator[str]:
    yield f"{source['path']} ({source['format']}): {_outcomes(source)}"
    for outcome, group in GROUPS.items():
        for name, n in source[group].items():
            yield f"  {outcome}: {name} {n:,}"
    for kind, n in source["scrubbed"].items():
        yield f"  scrubbed: {kind} {n:,}"
    total: Counter[str] = sum((Counter(present.get(file.index, {})) for file in files), Counter())
    yield from (f"  {line}" for line in _mapped(source["columns"], total))
    if empty := [name for name in FIELDS if total["all_rows"] and not total[name]]:
        yield f"  never a value: {', '.join(empty)}"
    for name, columns in source["missing_columns"].items() if source["format"] in COLUMNAR else ():
        yield f"  {name} lacks {', '.join(columns)}"
    for file, counts in zip(files, source["files"], strict=True):
        yield f"  {file.name}: {_outcomes(counts)}"
        if len(files) > 1:
            yield from (f"    {line}" for line in _file(gathered.columns.get(file.index), present.get(file.index, {})))


def _outcomes(counts: Mapping[str, int]) -> str:
    outcomes = ", ".join(f"{counts[name]:,} {name}" for name in report.OUTCOMES if counts[name])
    return f"{counts['rows_read']:,} rows" + (f": {outcomes}" if outcomes else "")


def _file(columns: FileColumns | None, present: Mapping[str, int]) -> Iterator[str]:
    if mapped := "; ".join(_mapped(columns.given if columns else {}, present)):
        yield mapped
    if columns and columns.unmapped:
        yield f"new columns that nothing reads: {', '.join(columns.unmapped)}"


def _mapped(given: Mapping[str, Mapping[str, int]], present: Mapping[str, int]) -> Iterator[str]:
    """Yields, by canonical column, the source columns that gave it, each with its share of the rows that can be read.

    Args:
        given: rows by canonical and source column; of formats that name no columns, nothing.
        present: rows by canonical column, and ``all_rows``.
    """
    n_rows = present.get("all_rows", 0)
    for name in FIELDS:
        by_column = {column: n for column, n in given.get(name, {}).items() if n}
        if by_column:
            yield f"{name} <- " + ", ".join(f"{column} {_share(n, n_rows)}" for column, n in by_column.items())
        elif present.get(name):
            yield f"{name} <- the format itself {_share(present[name], n_rows)}"


def _share(n: int, n_rows: int) -> str:
    share = f"{n / n_rows:.1%}"
    return "< 100%" if share == "100.0%" and n < n_rows else share.replace(".0%", "%")


def _present(connection: duckdb.DuckDBPyConnection) -> Present:
    found: Present = {}
    for index, name, n in connection.execute(
        "SELECT file, field, sum(n)::BIGINT FROM present GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        found.setdefault(index, {})[name] = n
    return found
