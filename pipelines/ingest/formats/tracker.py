"""What the named trackers share: a mapping of their own over JSON lines, CSV or Parquet, whichever a file is."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.ingest import files
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import csv as csv_rows
from pipelines.ingest.formats import jsonl, parquet
from pipelines.ingest.formats.native import PARQUET_MAGIC
from pipelines.ingest.formats.rows import RawRows, literal, names_of
from pipelines.params import Source

Columns = Mapping[str, tuple[str, ...]]
"""Canonical name -> source columns, the preferred first."""

OWN: Final = "own "  # before the columns that are read for a tracker's rules; no canonical name holds a blank
LOOKED_AT_LINES: Final = 20
BASES: Final = {"jsonl": jsonl.read, "csv": csv_rows.read, "parquet": parquet.read}


@dataclass(frozen=True)
class Mapped:
    """A block of rows under a tracker's mapping.

    Attributes:
        raw: the rows, their fields mapped.
        own: source column -> SQL of its text, null where the file lacks it; of the columns that were asked for.
    """

    raw: RawRows
    own: Mapping[str, str]


def read(file: SourceFile, source: Source, columns: Columns, own: Iterable[str] = ()) -> Iterator[Mapped]:
    """Yields the file's rows; what ``source.columns`` maps takes the place of ``columns``, name by name.

    Raises:
        SourceError: the header lacks the column of the visitor or of the time.
    """
    own = (*own,)
    chosen = mapping(source, columns)
    wanted: dict[str, str | list[str]] = {name: [*alternatives] for name, alternatives in chosen.items()}
    wanted |= {f"{OWN}{column}": column for column in own}
    for raw in BASES[kind(file)](file, source.model_copy(update={"columns": wanted})):
        missing = None if raw.missing is None else stated(source, raw.missing)
        yield Mapped(
            replace(
                raw,
                fields={name: sql for name, sql in raw.fields.items() if name in chosen},
                origins={name: places for name, places in raw.origins.items() if name in chosen},
                problems={name: sql for name, sql in raw.problems.items() if not name.startswith(f"bad_{OWN}")},
                missing=missing,
                mapping=chosen,
            ),
            {column: f"nullif(({raw.fields.get(f'{OWN}{column}', 'NULL')})::VARCHAR, '')" for column in own},
        )


def mapping(source: Source, columns: Columns) -> dict[str, tuple[str, ...]]:
    """Returns ``columns`` with what ``source`` maps otherwise; a constant needs no column."""
    chosen = {**columns, **source.alternatives}
    return {name: places for name, places in chosen.items() if name not in (source.constants or {})}


def stated(source: Source, missing: Iterable[str]) -> tuple[str, ...]:
    """Returns those ``missing`` columns that ``source`` names itself.

    A tracker's own mapping has names of several versions and shapes: no file has them all.
    """
    named = {column for alternatives in source.alternatives.values() for column in alternatives}
    return tuple(column for column in missing if column in named)


def kind(file: SourceFile) -> str:
    """Returns whether the file is parquet, jsonl or csv, by its first bytes and lines."""
    first = _beginning(file)
    if first.startswith(PARQUET_MAGIC):
        return "parquet"
    texts = (line.strip() for line in first.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    is_json = any(line.startswith(b"{") for line in islice(filter(None, texts), LOOKED_AT_LINES))
    return "jsonl" if is_json else "csv"


def header(file: SourceFile, name: str) -> tuple[str, ...]:
    """Returns the columns that the file of ``kind`` ``name`` has; of JSON lines, those of its first rows."""
    if name == "jsonl":
        return jsonl.look(file.path, LOOKED_AT_LINES)
    if name == "parquet":
        with suppress(pa.ArrowInvalid, OSError), pq.ParquetFile(file.path) as stored:
            return tuple(parquet.leaves(stored.schema_arrow))
        return ()
    text = _beginning(file).decode("utf-8-sig", errors="replace")
    with suppress(csv.Error):
        return tuple(names_of(next((row for row in csv.reader(text.splitlines()) if row), [])))
    return ()


def is_no_object(sql: str) -> str:
    """SQL: the text ``sql`` is there and is no JSON object."""
    return f"({sql}) IS NOT NULL AND coalesce(json_type(TRY_CAST({sql} AS JSON)), '') <> 'OBJECT'"


def instant(sql: str, digits: str, unit: int) -> str:
    """SQL: the epoch ``sql`` as ISO text, of so many ``digits`` and microseconds a ``unit``; else as it is."""
    return (
        f"CASE WHEN regexp_full_match({sql}, '[0-9]{{{digits}}}') "
        f"THEN make_timestamptz(TRY_CAST({sql} AS BIGINT) * {unit})::VARCHAR ELSE {sql} END"
    )


def chosen_unless(source: Source, fields: Mapping[str, str]) -> dict[str, str]:
    """Returns those of a tracker's computed ``fields`` that ``source`` does not map itself."""
    return {name: sql for name, sql in fields.items() if name not in (source.columns or {})}


def removal(source: Source, above: str, keys: Iterable[str] = ()) -> str:
    """SQL: a JSON merge patch that takes ``keys``, and what ``source`` maps of the object ``above``, out of it.

    What became a column, an id that is hashed there say, must not be said again as it was.
    """
    mapped = {column for columns in source.alternatives.values() for column in columns}
    patch: dict[str, Any] = dict.fromkeys(keys)
    for path in sorted(column.removeprefix(f"{above}.") for column in mapped if column.startswith(f"{above}.")):
        *parents, leaf = path.split(".")
        inside = patch
        for parent in parents:
            inside = inside.setdefault(parent, {})
            if inside is None:  # all of it goes
                break
        else:
            inside.setdefault(leaf, None)
    return literal(json.dumps(patch))


def _beginning(file: SourceFile) -> bytes:
    with suppress(files.TruncatedError):
        return next(files.chunks(file.path), b"")
    return b""
