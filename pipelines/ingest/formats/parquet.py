"""Parquet; a mapped column is a name, or a path whose dots descend into structs."""

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import SourceError
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import RawRows, first_of, literal, required_columns
from pipelines.params import Source

BATCH_ROWS: Final = 65_536


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows; a row's line is its number.

    Raises:
        SourceError: the file is no Parquet, or lacks the column of the visitor or of the time.
    """
    try:
        with pq.ParquetFile(file.path) as stored:
            yield from _batches(stored, file, source.alternatives)
    except (pa.ArrowInvalid, OSError):
        raise SourceError(
            f"{file.name} cannot be read as Parquet (cut off or damaged?): bring it again, or take it out"
        ) from None


def leaves(schema: pa.Schema) -> list[str]:
    """Returns every column, and every field of a struct by its dotted path."""
    return [path for field in schema for path in _paths(field.name, field.type)]


def _paths(path: str, kind: pa.DataType) -> Iterator[str]:
    yield path
    if pa.types.is_struct(kind):
        for field in kind:
            yield from _paths(f"{path}.{field.name}", field.type)


def _batches(stored: pq.ParquetFile, file: SourceFile, mapping: Mapping[str, tuple[str, ...]]) -> Iterator[RawRows]:
    schema = stored.schema_arrow
    found = leaves(schema)
    missing = required_columns(file, mapping, found)
    wanted = {name: [column for column in columns if column in found] for name, columns in mapping.items()}
    tops = sorted({_top(schema, column) for columns in wanted.values() for column in columns})
    origins = {
        name: {column: _text(schema, column, tops) for column in columns} for name, columns in wanted.items() if columns
    }
    branches = {path.rpartition(".")[0] for path in found}
    first = 1
    for batch in stored.iter_batches(BATCH_ROWS, columns=tops):
        rows = (
            pa.Table.from_batches([batch])
            .select(tops)
            .rename_columns([f"c{position}" for position in range(len(tops))])
        )
        rows = rows.append_column("line", pa.array(range(first, first + len(rows)), pa.int64()))
        rows = rows.append_column("problem", pa.nulls(len(rows), pa.string()))
        yield RawRows(
            rows=rows,
            fields={name: first_of(columns.values()) for name, columns in origins.items()},
            excerpt="NULL",
            missing=missing,
            mapping=mapping,
            origins=origins,
            columns=tuple(path for path in found if path not in branches),
        )
        first += len(rows)


def _top(schema: pa.Schema, column: str) -> str:
    """Returns the stored column that ``column`` is, or lies in: names may hold dots themselves."""
    return column if column in schema.names else column.split(".")[0]


def _text(schema: pa.Schema, column: str, tops: list[str]) -> str:
    """SQL: the column's value as text; what is nested becomes JSON."""
    top = _top(schema, column)
    kind, expression = schema.field(top).type, f"c{tops.index(top)}"
    for part in column.removeprefix(top).split(".")[1:]:
        kind, expression = kind.field(part).type, f"{expression}[{literal(part)}]"
    if pa.types.is_nested(kind):
        return f"to_json({expression})"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return f"TRY(decode({expression}))"
    return f"{expression}::VARCHAR"
