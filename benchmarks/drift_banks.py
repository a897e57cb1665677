"""Draws of the demo bank as a champion scores them: simulated, scored by the very command, observed, and kept.

A bank of a scenario has every session touched from FROM_DAY on; drift_windows.py mixes it with the calm bank of its
seed to any strength.
"""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import champion
from pipelines import params as params_file
from pipelines.champion import Champion
from pipelines.drift.cells import Cells
from pipelines.drift.observed import OBSERVED, observed
from pipelines.params import Params, Scenario, Window
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote
from pipelines.schemas import EMBEDDINGS
from pipelines.score import days
from pipelines.score.scorer import TABLES
from pipelines.score.stage import run as score
from pipelines.simulate.stage import run as simulate
from pipelines.student import Student
from pipelines.student.labels import embedding_matrix
from pipelines.tables import read_table

CALM_DAYS: Final = 41
FROM_DAY: Final = 21
DRIFT_DAYS: Final = 4
MAKERS: Final = ("simulate", "ingest", "sessionize", "encoder", "student", "score")
"""Parts of pipelines/ that a kept bank depends on, beside the models."""


@dataclass(frozen=True)
class Bank:
    """A draw of the demo bank: calm, or with every session touched by a scenario from FROM_DAY on."""

    seed: int
    kind: str | None = None

    def __str__(self) -> str:
        return f"{self.kind or 'calm'}-{self.seed}"


@dataclass(frozen=True)
class Banks:
    """The banks that one champion scores."""

    folder: Path
    root: Path  # where it is promoted
    params: Params
    held: Champion

    @classmethod
    def now(cls, repository: Path) -> "Banks":
        """Returns the banks of the champion that the artifacts of ``repository`` make."""
        params = params_file.load(repository / "params.yaml")
        root = repository / ".work" / "drift" / "champion"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        (root / "artifacts").symlink_to(repository / "artifacts")
        promote(Workspace(root), params)
        held = champion.current(Workspace(root))
        made_of = [held.manifest.record.encoder_version, held.manifest.record.student_version, str(params.simulate)]
        digest = hashlib.sha256("\0".join(made_of).encode())
        for part in MAKERS:
            for path in sorted((repository / "pipelines" / part).rglob("*.py")):
                digest.update(path.read_bytes())
        digest.update((repository / "pipelines" / "drift" / "facts.py").read_bytes())
        return cls(repository / ".work" / "drift" / digest.hexdigest()[:16], root, params, held)

    def read(self, bank: Bank) -> tuple[pa.Table, np.ndarray]:
        """Returns the bank's sessions (observed.OBSERVED) and their embeddings (N, D); makes them where none are kept.

        Of a calm bank those of all days, of a scenario's those from FROM_DAY on.
        """
        kept = self.folder / str(bank)
        if not kept.exists():
            self._make(bank, kept)
        named = {name: days.read(kept, name, Window(from_=None, to=None)) for name in TABLES}
        intent_ids = Student.load(self.held.student_folder).intent_ids
        rows = observed(**named, intent_ids=intent_ids, cells=Cells.load(self.held.cells))
        return rows, embedding_matrix(named["embeddings"])

    def reference(self) -> tuple[pa.Table, np.ndarray]:
        """Returns the champion's reference (observed.OBSERVED), and its embeddings (N, D)."""
        rows = read_table(self.held.reference, OBSERVED)
        embeddings = read_table(Workspace(self.root).embeddings, EMBEDDINGS)
        places = pc.index_in(rows.column("session_id"), value_set=embeddings.column("session_id").combine_chunks())
        return rows, embedding_matrix(embeddings.take(places))

    def day(self, number: int) -> date:
        """The date of a day of the simulation, the first of which is 0."""
        return self.params.simulate.start + timedelta(days=number)

    def _make(self, bank: Bank, kept: Path) -> None:
        print(f"bench-drift: {bank} is drawn and scored", file=sys.stderr)
        scratch = Workspace(kept.with_name(f"{bank}.unfinished"))
        shutil.rmtree(scratch.root, ignore_errors=True)
        scratch.root.mkdir(parents=True)
        for name in ("champions", "champion.json"):
            (scratch.root / name).symlink_to(self.root / name)
        first, after, scenarios = 0, CALM_DAYS, []
        if bank.kind:
            first, after = FROM_DAY, FROM_DAY + DRIFT_DAYS
            scenarios = [Scenario.model_validate({"kind": bank.kind, "from": self.day(FROM_DAY), "strength": 1.0})]
        block = self.params.simulate.model_copy(update={"days": after + 1, "scenarios": scenarios})
        simulate(scratch, self.params.model_copy(update={"seed": bank.seed, "simulate": block}))
        score(scratch, self.params, None, scratch.root / "scored", None, self.day(first), self.day(after))
        (scratch.root / "scored").rename(kept)
        shutil.rmtree(scratch.root)
