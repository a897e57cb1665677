"""The beginning of a file of unknown kind: its format, its columns, and some values of each."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import SourceError
from pipelines.ingest import files
from pipelines.ingest.formats import combined_log, jsonl, parquet
from pipelines.ingest.formats.native import PARQUET_MAGIC
from pipelines.ingest.formats.rows import NAME
from pipelines.init import trackers
from pipelines.schemas import EVENTS

LOOKED_AT_BYTES: Final = 4 << 20
LOOKED_AT_ROWS: Final = 1000
MOST: Final = 0.5  # of the rows must fit a format for it to be the file's
DELIMITERS: Final = (",", "\t", ";", "|")
CANONICAL: Final = frozenset(("visitor_id", "ts", "event_type"))
"""Columns that make a table the canonical one, since nobody calls all of them so by accident."""


@dataclass(frozen=True)
class Sample:
    """What a look at a file tells.

    Attributes:
        settings: what ``ingest.sources`` says beside path, format and columns: a delimiter, or names.
        values: column -> its values as text, null where a row has none; empty for formats that need no mapping.
    """

    format: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Sequence[str | None]] = field(default_factory=dict)


def take(path: Path) -> Sample:
    """Returns what ``path`` looks like.

    Raises:
        SourceError: it looks like nothing that ingest reads.
    """
    with suppress(pa.ArrowInvalid):
        if _starts_with(path, PARQUET_MAGIC):
            return _of_parquet(path)
    texts = _texts(path)
    if texts and texts[0].lstrip().startswith("["):
        raise SourceError(f"{path.name} begins like one JSON array, which is not read: write one object a line instead")
    if texts and (tracker := trackers.of_rows(path, texts)):
        return Sample(tracker)
    for look in (_as_json, _as_log, _as_sequences, _as_csv):
        if found := look(texts):
            return found
    raise SourceError(
        f"{path.name} looks like none of JSON lines, CSV with a header, Parquet, a combined access log, sequences of "
        "codes: convert it to one of them"
    )


def _starts_with(path: Path, magic: bytes) -> bool:
    return next(files.chunks(path), b"").startswith(magic)


def _texts(path: Path) -> list[str]:
    """Returns the first lines that are not blank."""
    content = b""
    with suppress(files.TruncatedError):
        for chunk in files.chunks(path):
            content += chunk
            if len(content) >= LOOKED_AT_BYTES:
                content = content[: content.rfind(b"\n") + 1] or content
                break
    texts = content.decode("utf-8-sig", errors="replace").split("\n")
    return list(islice((text.rstrip("\r") for text in texts if text.strip()), LOOKED_AT_ROWS))


def _of_parquet(path: Path) -> Sample:
    with pq.ParquetFile(path) as stored:
        batch = next(stored.iter_batches(LOOKED_AT_ROWS), None)
        columns = parquet.leaves(stored.schema_arrow)
    rows = batch.to_pylist() if batch else []
    name = "native" if {*columns} >= CANONICAL else trackers.of_columns(columns) or "parquet"
    return Sample(name, values=_columns(rows, columns))


def _as_json(texts: Sequence[str]) -> Sample | None:
    rows = []
    for text in texts:
        with suppress(ValueError):
            rows.append(json.loads(text))
    rows = [row for row in rows if isinstance(row, dict)]
    if not rows or len(rows) < MOST * len(texts):
        return None
    columns = jsonl.columns(rows)
    is_native = {*columns} >= CANONICAL and {column.split(".")[0] for column in columns} <= {*EVENTS.names}
    name = "native" if is_native else trackers.of_columns(columns) or "jsonl"
    return Sample(name, values=_columns(rows, columns))


def _as_log(texts: Sequence[str]) -> Sample | None:
    pattern = re.compile(combined_log.LINE)
    n_fitting = sum(bool(pattern.match(text)) for text in texts)
    return Sample("combined_log") if texts and n_fitting >= MOST * len(texts) else None


def _as_sequences(texts: Sequence[str]) -> Sample | None:
    rows = [text.split() for text in texts if not text.startswith("%")]
    names = next((row for row in rows if not any(word.isdigit() for word in row)), None)
    codes = [row for row in rows if row and all(word.isdigit() for word in row)]
    if not codes or len(codes) < MOST * len(rows) or (len(rows) < 2 and names is None):
        return None
    highest = max(int(word) for row in codes for word in row)
    return Sample("sequences", {"names": names or [f"code-{code}" for code in range(1, highest + 1)]})


def _as_csv(texts: Sequence[str]) -> Sample | None:
    delimiter, rows = max(((sign, _rows(texts, sign)) for sign in DELIMITERS), key=lambda one: _fit(one[1]))
    if _fit(rows) < (MOST, 2):
        return None
    header, *body = rows
    header = [name.strip() for name in header]
    if not all(name == "" or NAME.fullmatch(name) for name in header):
        raise SourceError(
            f"the file looks like CSV (delimiter {delimiter!r}), but its first line holds what looks like data: add a "
            "line with the names of the columns"
        )
    if delimiter == "," and (tracker := trackers.of_columns(header)):
        return Sample(tracker)
    fitting = [row for row in body if len(row) == len(header)]
    # A name that comes twice cannot be mapped.
    values = {
        name: [row[position].strip() or None for row in fitting]
        for position, name in enumerate(header)
        if name and header.count(name) == 1
    }
    return Sample("csv", {} if delimiter == "," else {"delimiter": delimiter}, values)


def _rows(texts: Sequence[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    with suppress(csv.Error):
        rows.extend(csv.reader((text + "\n" for text in texts), delimiter=delimiter))
    return rows


def _fit(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """How well a delimiter fits: the share of rows as wide as the first, then the width."""
    if not rows or len(rows[0]) < 2:
        return (0.0, 0)
    return (sum(len(row) == len(rows[0]) for row in rows) / len(rows), len(rows[0]))


def _columns(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, list[str | None]]:
    return {column: [_text(_inside(row, column)) for row in rows] for column in columns}


def _inside(row: Any, column: str) -> Any:
    if isinstance(row, dict) and column in row:
        return row[column]
    for key in column.split("."):
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return json.dumps(value, default=str) if isinstance(value, dict | list | bool) else str(value)
