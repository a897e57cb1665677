"""What the proposed mapping would make of the first rows: hashed, scrubbed, and only shown."""

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pipelines.ingest import clean, gather, ids
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import FORMATS
from pipelines.params import Source, Window
from pipelines.schemas import EVENTS

LOOKED_AT_ROWS: Final = 1000
SHOWN_ROWS: Final = 10
SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True)
class Preview:
    """The first mapped rows, what became of the rows looked at, and the event types among them."""

    rows: list[dict[str, str]]
    n_rows: int
    outcomes: dict[str, int]
    event_types: list[str]


def make(path: Path, source: Source) -> Preview:
    """Returns the first rows of ``path`` as ``source`` maps them; ids are hashed with a key of no use afterwards."""
    secret = os.environ.get(ids.KEY_VARIABLE, "").encode() or secrets.token_bytes(ids.BLOCK_BYTES)
    file = SourceFile(path, path.name, 0, 0)
    with tempfile.TemporaryDirectory() as scratch, gather.connect(Path(scratch), secret) as connection:
        gather.check(connection, source)
        cleaner = clean.Cleaner(connection, Window.model_validate({"from": None, "to": None}))
        for raw in islice(FORMATS[source.format].read(file, source), 1):
            cleaner.add(gather.of_file(raw, file, LOOKED_AT_ROWS), source)
        mapped = connection.sql(
            f"SELECT {', '.join(EVENTS.names)} FROM candidate_events ORDER BY line, ts, event_id LIMIT {SHOWN_ROWS}"
        ).to_arrow_table()
        outcomes = connection.execute(
            "SELECT CASE WHEN outcome = 'candidate' THEN 'mapped' ELSE name END, sum(n)::BIGINT FROM outcomes "
            "GROUP BY ALL ORDER BY 2 DESC, 1"
        ).fetchall()
        types = connection.execute("SELECT DISTINCT event_type FROM candidates ORDER BY 1").fetchall()
        return Preview(_shown(mapped), sum(n for _, n in outcomes), dict(outcomes), [name for (name,) in types])


def _shown(mapped: pa.Table) -> list[dict[str, str]]:
    return [{name: _short(value) for name, value in row.items() if value is not None} for row in mapped.to_pylist()]


def _short(value: Any) -> str:
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    # As JSON, so that nothing in a title can steer a terminal.
    text = json.dumps(text, ensure_ascii=True)[1:-1]
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
