"""All files of all sources into the tables of ``clean.TABLES``, then what only the whole shows: duplicates, robots."""

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from tqdm import tqdm

from pipelines import warehouse
from pipelines.errors import SourceError
from pipelines.ingest import bots, clean, duplicates, files, ids, lines, pages, report, scrub, timestamps
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import FORMATS, jsonl
from pipelines.ingest.formats.rows import FIELDS, RawRows, listed
from pipelines.params import Ingest, Source

SECONDS_BETWEEN_LINES: Final = 20
LOOKED_AT_ROWS: Final = 200
REQUIRED: Final = ("visitor_id", "ts")
MERGED_BYTES: Final = 128 << 20
MERGED_ROWS: Final = 1 << 18
BATCH_ROWS: Final = 1 << 14


@dataclass
class Gathered:
    """What was read: the files, and by file the mapped columns that it lacks."""

    files: list[SourceFile]
    missing: dict[int, tuple[str, ...] | None] = field(default_factory=dict)


def connect(scratch: Path, secret: bytes) -> duckdb.DuckDBPyConnection:
    """Returns a connection with the macros and the empty tables that the parts of this stage share."""
    connection = warehouse.connect(scratch, scratch / "ingest.duckdb")
    ids.define(connection, secret)
    scrub.define(connection)
    pages.define(connection)
    connection.execute(clean.TABLES)
    return connection


def find(root: Path, sources: Sequence[Source]) -> list[SourceFile]:
    """Returns the files of ``sources`` in the order in which they are read."""
    found = [
        (position, path, name)
        for position, source in enumerate(sources)
        for path, name in files.find(root, source.path)
    ]
    return [SourceFile(path, name, position, index) for index, (position, path, name) in enumerate(found)]


def read(connection: duckdb.DuckDBPyConnection, block: Ingest, found: Sequence[SourceFile]) -> Gathered:
    """Reads ``found`` into the tables, cleaned, and says how far it is when that takes long."""
    for source in block.sources:
        check(connection, source)
    gathered, cleaner = Gathered(list(found)), clean.Cleaner(connection, block.window)
    n_rows, last_said = 0, time.monotonic()
    for source, raw in tqdm(_merged(_blocks(block.sources, gathered)), "ingest", unit="block", disable=None):
        cleaner.add(raw, source)
        n_rows += len(raw.rows)
        if not sys.stderr.isatty() and time.monotonic() - last_said > SECONDS_BETWEEN_LINES:
            print(f"ingest: {n_rows:,} lines read", flush=True)
            last_said = time.monotonic()
    _check_present(connection, block.sources, gathered)
    return gathered


def _blocks(sources: Sequence[Source], gathered: Gathered) -> Iterator[tuple[Source, RawRows]]:
    """Yields the blocks of all files, each row with the file it comes from."""
    lines_before = dict.fromkeys(FORMATS, 0)
    for unplaced in gathered.files:
        source = sources[unplaced.source]
        file = replace(unplaced, lines_before=lines_before[source.format])
        for raw in FORMATS[source.format].read(file, source):
            gathered.missing[file.index] = raw.missing
            lines_before[source.format] = file.lines_before + raw.last_line
            yield source, of_file(raw, file)


def of_file(raw: RawRows, file: SourceFile, most: int | None = None) -> RawRows:
    """Returns ``raw``, or its first ``most`` rows, with the file that the rows come from."""
    rows = raw.rows.slice(0, most)
    return replace(raw, rows=rows.append_column("file", pa.repeat(pa.scalar(file.index, pa.uint32()), len(rows))))


def _merged(blocks: Iterable[tuple[Source, RawRows]]) -> Iterator[tuple[Source, RawRows]]:
    """Yields blocks of many small files together, and large ones in parts, so that DuckDB has enough to plan for."""
    waiting: list[RawRows] = []
    read_by: Source | None = None
    for source, raw in blocks:
        if waiting and read_by and (source is not read_by or raw.sql != waiting[0].sql or _is_enough(waiting)):
            yield from ((read_by, part) for part in _parts(waiting))
            waiting = []
        waiting.append(raw)
        read_by = source
    if waiting and read_by:
        yield from ((read_by, part) for part in _parts(waiting))


def _is_enough(blocks: Sequence[RawRows]) -> bool:
    return (
        sum(block.rows.nbytes for block in blocks) > MERGED_BYTES
        or sum(len(block.rows) for block in blocks) > MERGED_ROWS
    )


def _parts(blocks: Sequence[RawRows]) -> Iterator[RawRows]:
    rows = pa.concat_tables(block.rows for block in blocks)
    for start in range(0, len(rows), MERGED_ROWS):
        # Small batches, since DuckDB's threads share a table by its batches.
        batches = rows.slice(start, MERGED_ROWS).to_batches(max_chunksize=BATCH_ROWS)
        yield replace(blocks[0], rows=pa.Table.from_batches(batches))


def settle(connection: duckdb.DuckDBPyConnection, block: Ingest) -> None:
    """Decides about every candidate, and leaves the view ``accepted``."""
    connection.execute("CREATE TABLE dropped (id BIGINT, outcome VARCHAR, name VARCHAR)")
    duplicates.find(connection)
    if block.bots.declared:
        bots.find_declared(connection)
    if block.bots.behaviour:
        bots.find_behaviour(connection)
    connection.execute(
        "CREATE TEMP VIEW accepted AS SELECT * FROM candidates WHERE rowid NOT IN (SELECT id FROM dropped)"
    )
    connection.execute("DELETE FROM outcomes WHERE outcome = 'candidate'")
    connection.execute("INSERT INTO outcomes SELECT file, 'accepted', '', count(*) FROM accepted GROUP BY file")
    connection.execute(
        "INSERT INTO outcomes SELECT file, outcome, name, count(*) "
        "FROM dropped JOIN candidates ON candidates.rowid = id GROUP BY ALL"
    )


def check(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Refuses a mapping that cannot be meant."""
    columns, constants = source.columns or {}, source.constants or {}
    unknown = sorted({*columns, *constants} - {*FIELDS})
    shown = report.shown(source.path)
    if unknown:
        raise SourceError(
            f"source `{shown}` maps unknown names ({', '.join(unknown)}); expected names of: {', '.join(FIELDS)}"
        )
    if twice := sorted({*columns} & {*constants}):
        raise SourceError(f"source `{shown}` maps {', '.join(twice)} to a column and to a constant: keep one")
    timestamps.check(connection, source)


def _check_present(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], gathered: Gathered) -> None:
    """Notes which columns the files without a header lack; no row with a visitor, or a time, is a wrong mapping."""
    counts: dict[int, dict[str, int]] = {file.index: {} for file in gathered.files}
    for index, name, n in connection.execute("SELECT file, field, sum(n)::BIGINT FROM present GROUP BY ALL").fetchall():
        counts[index][name] = n
    for position, source in enumerate(sources):
        columns = source.columns or {}
        own = [file for file in gathered.files if file.source == position]
        for file in own:
            if gathered.missing.get(file.index, ()) is None:
                absent = [column for name, column in columns.items() if not counts[file.index].get(name)]
                gathered.missing[file.index] = tuple(sorted(absent)) if counts[file.index] else ()
        for name in REQUIRED:
            n_rows, n_present = (sum(counts[file.index].get(key, 0) for file in own) for key in ("all_rows", name))
            if n_rows and not n_present:
                raise SourceError(
                    f"no row of `{report.shown(source.path)}` has `{columns.get(name, name)}`, mapped to {name}; "
                    f"found {listed(_columns_of(own[0]))}: correct `columns` in ingest.sources"
                )


def _columns_of(file: SourceFile) -> list[str]:
    """Returns the columns of a file of JSON lines, by its first rows; none of another."""
    block = next(lines.blocks(file.path), None)
    documents = []
    for text in block.texts[:LOOKED_AT_ROWS] if block else []:
        with contextlib.suppress(ValueError):
            documents.append(json.loads(text))
    return jsonl.columns(documents)
