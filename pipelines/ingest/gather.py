"""All files of all sources into the tables of ``clean.TABLES``."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from tqdm import tqdm

from pipelines import warehouse
from pipelines.errors import SourceError
from pipelines.ingest import blocks, clean, files, ids, pages, report, scrub, timestamps
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import FORMATS, jsonl
from pipelines.ingest.formats.rows import FIELDS, RawRows, count_origins, either, grouped, is_read, listed, shown_path
from pipelines.ingest.report import FileColumns
from pipelines.params import Ingest, Source

MEMORY_MB: Final = 2600
"""For DuckDB, which spills what is more; blocks on their way take another gigabyte or two. A database in a file would
need no spilling, but its checkpoints cost a fifth of the time (docs/LOG.md)."""
SECONDS_BETWEEN_LINES: Final = 20
LOOKED_AT_ROWS: Final = 200  # for a message that names a file's columns
VANISHED_ROWS: Final = 10_000  # looked at for the new name of a column that vanished: it may be as rare
REQUIRED: Final = ("visitor_id", "ts")

Origin = tuple[int, str, str]
"""A file's index, a canonical name, a source column."""


@dataclass
class Gathered:
    """What was read.

    Attributes:
        columns: what the columns of a file gave, by its index; a file without a line has none.
        chosen: rows by (file, canonical name, source column), where more than one source column could give the value.
        first_rows: of the first file of a source without headers, by the source's position.
    """

    files: list[SourceFile]
    columns: dict[int, FileColumns] = field(default_factory=dict)
    chosen: Counter[Origin] = field(default_factory=Counter)
    first_rows: dict[int, pa.Table] = field(default_factory=dict)


def connect(scratch: Path, secret: bytes) -> duckdb.DuckDBPyConnection:
    """Returns a connection with the macros and the empty tables that the parts of this stage share."""
    connection = warehouse.connect(scratch, MEMORY_MB)
    connection.execute("SET checkpoint_threshold = '1TB'")  # in memory there is nothing to keep up to date
    _define(connection, secret)
    connection.execute(clean.TABLES)
    return connection


def _define(connection: duckdb.DuckDBPyConnection, secret: bytes, url_parameters: Sequence[str] = ()) -> None:
    ids.define(connection, secret)
    scrub.define(connection)
    pages.define(connection, url_parameters)


def find(root: Path, sources: Sequence[Source]) -> list[SourceFile]:
    """Returns the files of ``sources`` in the order in which they are read."""
    found = [
        (position, path, name)
        for position, source in enumerate(sources)
        for path, name in files.find(root, source.path)
    ]
    return [SourceFile(path, name, position, index) for index, (position, path, name) in enumerate(found)]


def read(connection: duckdb.DuckDBPyConnection, block: Ingest, found: Sequence[SourceFile], secret: bytes) -> Gathered:
    """Reads ``found`` into the tables, cleaned, and says how far it is when that takes long."""
    for source in block.sources:
        check(connection, source)
    gathered = Gathered(list(found))
    items = blocks.merged(_blocks(block.sources, gathered))
    workers = [_worker(connection.cursor(), block, secret) for _ in range(warehouse.n_threads())]
    connection.execute("SET threads = 1")  # of each worker: sharing its work out would cost more than it gains
    n_rows, last_said = 0, time.monotonic()
    for n_more, chosen in tqdm(blocks.side_by_side(items, workers), "ingest", unit="block", disable=None):
        gathered.chosen.update(chosen)
        n_rows += n_more
        if not sys.stderr.isatty() and time.monotonic() - last_said > SECONDS_BETWEEN_LINES:
            print(f"ingest: {n_rows:,} lines read", flush=True)
            last_said = time.monotonic()
    connection.execute(f"SET threads = {warehouse.n_threads()}")
    _check_present(connection, block.sources, gathered)
    for position in range(len(block.sources)):
        _find_unmapped(connection, position, gathered)
    return gathered


def _worker(
    connection: duckdb.DuckDBPyConnection, block: Ingest, secret: bytes
) -> Callable[[tuple[Source, RawRows]], tuple[int, dict[Origin, int]]]:
    """Returns what cleans a block into the tables, over a connection whose temporary tables are its own."""
    _define(connection, secret, block.url_parameters)
    cleaner = clean.Cleaner(connection, block.window)

    def work(item: tuple[Source, RawRows]) -> tuple[int, dict[Origin, int]]:
        source, raw = item
        cleaner.add(raw, source)
        return len(raw.rows), count_origins(connection, raw)

    return work


def _blocks(sources: Sequence[Source], gathered: Gathered) -> Iterator[tuple[Source, RawRows]]:
    """Yields the blocks of all files, each row with the file it comes from."""
    lines_before = dict.fromkeys(FORMATS, 0)
    for unplaced in gathered.files:
        source = sources[unplaced.source]
        file = replace(unplaced, lines_before=lines_before[source.format])
        for raw in FORMATS[source.format].read(file, source):
            _note(raw, file, gathered)
            lines_before[source.format] = file.lines_before + raw.last_line
            yield source, of_file(kept(raw, source), file)


def _note(raw: RawRows, file: SourceFile, gathered: Gathered) -> None:
    """Notes the columns of a block's file; a header may come after the first block."""
    before = gathered.columns.get(file.index, FileColumns())
    possible = {name: (*columns,) for name, columns in raw.origins.items()}
    gathered.columns[file.index] = FileColumns(
        raw.mapping, possible, raw.missing, before.unread or _unread(raw.columns, raw.mapping)
    )
    if raw.missing is None and raw.mapping and len(raw.rows):
        gathered.first_rows.setdefault(file.source, raw.rows)


def kept(raw: RawRows, source: Source) -> RawRows:
    """Returns ``raw`` without the rules that ``source`` switches off.

    Raises:
        SourceError: the format has no such rule.
    """
    if unknown := sorted({*(source.keep or ())} - raw.rules.keys()):
        known = ", ".join(raw.rules) or "none"
        raise SourceError(
            f"ingest.sources: `keep` of {source.format} names {', '.join(unknown)}; "
            f"its rules that leave rows out: {known}"
        )
    return replace(raw, rules={name: sql for name, sql in raw.rules.items() if name not in (source.keep or ())})


def of_file(raw: RawRows, file: SourceFile, most: int | None = None) -> RawRows:
    """Returns ``raw``, or its first ``most`` rows, with the file that the rows come from."""
    rows = raw.rows.slice(0, most)
    return replace(raw, rows=rows.append_column("file", pa.repeat(pa.scalar(file.index, pa.uint32()), len(rows))))


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
    """Notes what the columns of each file gave; no row with a visitor, or a time, is a wrong mapping."""
    counts: dict[int, dict[str, int]] = {file.index: {} for file in gathered.files}
    for index, name, n in connection.execute("SELECT file, field, sum(n)::BIGINT FROM present GROUP BY ALL").fetchall():
        counts[index][name] = n
    for position, source in enumerate(sources):
        own = [file for file in gathered.files if file.source == position]
        for file in own:
            if file.index in gathered.columns:
                _note_counts(gathered.columns[file.index], file.index, counts[file.index], gathered.chosen)
        for name in REQUIRED:
            n_rows, n_present = (sum(counts[file.index].get(key, 0) for file in own) for key in ("all_rows", name))
            if n_rows and not n_present:
                mapping = gathered.columns[own[0].index].mapping if own[0].index in gathered.columns else {}
                mapped, found = mapping.get(name, [name]), jsonl.look(own[0].path, LOOKED_AT_ROWS)
                raise SourceError(
                    f"no row of `{report.shown(source.path)}` has {either(mapped)}, mapped to {name}; "
                    f"found {listed([*found])}: correct `columns` in ingest.sources"
                )


def _note_counts(found: FileColumns, index: int, counts: Mapping[str, int], chosen: Counter[Origin]) -> None:
    found.n_rows = counts.get("all_rows", 0)
    found.given = {
        name: {column: counts.get(name, 0) if len(columns) == 1 else chosen[index, name, column] for column in columns}
        for name, columns in found.possible.items()
    }
    if found.missing is None:
        absent = {column for name, columns in found.mapping.items() if not counts.get(name) for column in columns}
        found.missing = sorted(absent) if counts else ()


def _find_unmapped(connection: duckdb.DuckDBPyConnection, position: int, gathered: Gathered) -> None:
    """Notes the columns of later files that no mapping reads and the first lacks: new, or new names of others."""
    own = [file for file in gathered.files if file.source == position]
    read = [(file, gathered.columns[file.index]) for file in own if file.index in gathered.columns]
    read = [(file, found) for file, found in read if found.n_rows]
    first_rows = gathered.first_rows.get(position)
    vanished = {
        change["file"] for change in report.changes([(file.name, found) for file, found in read]) if not change["to"]
    }
    known = {column for _, found in read[:1] for column in found.unread}
    for file, found in read[1:]:
        if first_rows is not None and file.name in vanished:
            found.unread = _unread(jsonl.look(file.path, VANISHED_ROWS), found.mapping)
        new = grouped([column for column in found.unread if column not in known])
        found.unmapped = [column for column in new if column not in known]
        known.update(found.unread, new)
    if first_rows is not None and (candidates := [column for _, found in read for column in found.unmapped]):
        # Of the first file only its first rows are known so far.
        old = jsonl.held(connection, first_rows, candidates)
        for _, found in read:
            found.unmapped = [column for column in found.unmapped if column not in old]


def _unread(columns: Iterable[str], mapping: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(shown_path(column) for column in columns if not is_read(column, mapping)))
