"""The canonical events table itself, as JSONL or Parquet; ids are hashed like any source's, so they change."""

from collections.abc import Iterator
from typing import Final

from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats import jsonl, parquet
from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source
from pipelines.schemas import EVENTS

PARQUET_MAGIC: Final = b"PAR1"


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows, whichever of the two it is by its first bytes."""
    with file.path.open("rb") as stream:
        read_form = parquet.read if stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC else jsonl.read
    return read_form(file, source.model_copy(update={"columns": {name: name for name in EVENTS.names}}))
