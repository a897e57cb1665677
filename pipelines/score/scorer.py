"""The champion as a function: sessions in, their embeddings and intents out, each row with what it comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from pipelines import schemas
from pipelines.champion import Champion
from pipelines.encoder.runtime import Runtime
from pipelines.score import window
from pipelines.student import Student
from pipelines.tables import read_table

CHAMPION_VERSION: Final = pa.field("champion_version", pa.string(), nullable=False)
TABLES: Final = {
    "sessions": schemas.SESSIONS,
    "facts": schemas.FACTS,
    "embeddings": schemas.EMBEDDINGS.append(CHAMPION_VERSION),
    "intents": schemas.INTENTS.append(CHAMPION_VERSION),
}
"""What is written of a day. The versions of encoder, taxonomy, student and champion are columns."""


@dataclass(frozen=True)
class Scorer:
    """A champion with the page catalogue of the sessions that it is to read."""

    held: Champion
    encoder: Runtime
    student: Student
    pages: pa.Table

    @classmethod
    def of(cls, held: Champion, seen: Path) -> "Scorer":
        """Returns the scorer of ``held`` for sessions whose catalogue is the table ``seen``."""
        pages = window.catalogue(read_table(held.pages, schemas.PAGES), read_table(seen, schemas.PAGES))
        return cls(held, Runtime.load(held.encoder_folder), Student.load(held.student_folder), pages)

    def score(self, sessions: pa.Table) -> dict[str, pa.Table]:
        """Returns the tables of TABLES that are the champion's own, row i about session i."""
        embeddings = self.encoder.embed(sessions, self.pages)
        probabilities = self.student.probabilities(embeddings)
        intents, abstained = self.student.decide(probabilities)
        lineage = {
            "encoder_version": self.encoder.version,
            "taxonomy_version": self.student.taxonomy_version,
            "student_version": self.student.version,
            "champion_version": self.held.version,
        }
        columns = {
            "session_id": sessions.column("session_id"),
            "embedding": _lists(embeddings),
            "intents": pa.array(intents, schemas.INTENTS.field("intents").type),
            "probabilities": _lists(probabilities),
            "abstained": pa.array(abstained),
            **{name: pa.repeat(version, len(sessions)) for name, version in lineage.items()},
        }
        return {
            table: pa.table({name: columns[name] for name in schema.names}).cast(schema)
            for table, schema in TABLES.items()
            if CHAMPION_VERSION.name in schema.names
        }


def _lists(rows: np.ndarray) -> pa.Array:
    """One list a row of ``rows`` (N, K)."""
    return pa.ListArray.from_arrays(np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1], rows.ravel())
