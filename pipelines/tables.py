"""Reading and writing the tables of schemas.py, checked at the boundary."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import TableError


def read_table(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns the table (or some of its columns) at ``path``, a Parquet file or a folder of them.

    Raises:
        TableError: the table is missing, or its columns are not those of ``schema``.
    """
    check_table(path, schema, columns)
    return pq.read_table(path, columns=list(columns or schema.names), partitioning=None)


def check_table(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> list[Path]:
    """Returns the files of the table at ``path``, whose (or some of whose) columns are those of ``schema``.

    Raises:
        TableError: the table is missing, or its columns are not those of ``schema``.
    """
    if not path.exists():
        raise TableError(f"{path.name} is missing: run the stage that writes {path} first (`dvc repro` runs them all)")
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    if not files:
        raise TableError(f"{path.name} holds no Parquet file: re-run the stage that writes it")
    found = pq.read_schema(files[0])
    for field in (schema.field(name) for name in (columns or schema.names)):
        position = found.get_field_index(field.name)
        if position < 0 or found.field(position).type != field.type:
            what = "is missing" if position < 0 else f"has type {found.field(position).type}"
            raise TableError(f"{path.name}: column `{field.name}` {what}; expected {field.type}: re-run its stage")
    return files


def write_table(table: pa.Table, path: Path, schema: pa.Schema) -> None:
    """Writes ``table`` at ``path`` after casting it to ``schema``: the same rows give the same bytes."""
    pq.write_table(table.select(schema.names).cast(schema), path, compression="zstd")
