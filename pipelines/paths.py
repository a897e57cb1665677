"""Where every file of a workspace lies: the one place that spells a path (dvc.yaml repeats it, a test compares)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """The files of one pipeline run under ``root``, which needs neither git nor DVC."""

    root: Path

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def truth(self) -> Path:
        """The demo bank's ground truth: read by ``evaluate``, benchmarks and tests only."""
        return self.data / "truth"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def events(self) -> Path:
        """Folder of ``day=YYYY-MM-DD/events.parquet``."""
        return self.artifacts / "events"

    @property
    def quarantine(self) -> Path:
        return self.artifacts / "quarantine.parquet"

    @property
    def sessions(self) -> Path:
        return self.artifacts / "sessions.parquet"

    @property
    def replaced_sessions(self) -> Path:
        """What became of sessions whose id ``sessionize --since`` changed: so embeddings and labels can follow."""
        return self.artifacts / "replaced_sessions.parquet"

    @property
    def pages(self) -> Path:
        """The page catalogue: one row a page template, with its title and text."""
        return self.artifacts / "pages.parquet"

    @property
    def identity(self) -> Path:
        return self.artifacts / "identity.parquet"

    @property
    def encoder(self) -> Path:
        return self.artifacts / "encoder"

    @property
    def embeddings(self) -> Path:
        return self.artifacts / "embeddings.parquet"

    @property
    def taxonomy(self) -> Path:
        """Folder of the taxonomy this run used, and of the teacher's labels."""
        return self.artifacts / "taxonomy"

    @property
    def used_taxonomy(self) -> Path:
        return self.taxonomy / "taxonomy.yaml"

    @property
    def labels(self) -> Path:
        return self.taxonomy / "labels.parquet"

    @property
    def second_labels(self) -> Path:
        """A second, independent labelling of test sessions, where the teacher made one: the student's ceiling."""
        return self.taxonomy / "second_labels.parquet"

    @property
    def remade(self) -> Path:
        """What taxonomies made anew, from other sessions, say of the test sessions that are labelled twice."""
        return self.taxonomy / "remade.json"

    @property
    def gold(self) -> Path:
        """Labels by people, where there are any."""
        return self.taxonomy / "gold.parquet"

    @property
    def approved_taxonomy(self) -> Path:
        """The taxonomy a person approved (in git); absent before the first approval."""
        return self.root / "taxonomy.yaml"

    @property
    def proposed_taxonomy(self) -> Path:
        """What a run proposes instead of the approved taxonomy, if it no longer fits."""
        return self.taxonomy / "proposal.yaml"

    @property
    def taxonomy_diff(self) -> Path:
        """What the proposal changes."""
        return self.taxonomy / "diff.json"

    @property
    def shown_intents(self) -> Path:
        """Example sessions and top pages of every intent, nothing that few visitors saw."""
        return self.taxonomy / "shown.json"

    @property
    def student(self) -> Path:
        return self.artifacts / "student"

    @property
    def intents(self) -> Path:
        return self.artifacts / "intents.parquet"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def ingest_report(self) -> Path:
        return self.reports / "ingest.json"

    @property
    def sessionize_report(self) -> Path:
        return self.reports / "sessionize.json"

    @property
    def encoder_report(self) -> Path:
        """What the audits of the encoder found."""
        return self.reports / "encoder.json"

    @property
    def taxonomy_report(self) -> Path:
        return self.reports / "taxonomy.json"

    @property
    def taxonomy_page(self) -> Path:
        return self.reports / "taxonomy.html"

    @property
    def taxonomy_diff_page(self) -> Path:
        return self.reports / "taxonomy_diff.html"

    @property
    def curves(self) -> Path:
        """Training curves, one file a metric."""
        return self.reports / "curves"

    @property
    def metrics(self) -> Path:
        return self.reports / "metrics.json"

    @property
    def plots(self) -> Path:
        return self.reports / "plots"

    @property
    def embedding_map(self) -> Path:
        """The embedding as a picture."""
        return self.reports / "embedding.html"

    @property
    def gate(self) -> Path:
        """What the gate found about a challenger; beside it the page of the same name."""
        return self.reports / "gate.json"

    @property
    def drift(self) -> Path:
        return self.reports / "drift"

    @property
    def evidently(self) -> Path:
        """Evidently's workspace: a snapshot a drift report, and the dashboard of their history."""
        return self.reports / "evidently"

    @property
    def index(self) -> Path:
        """The page that leads to all reports."""
        return self.reports / "index.html"

    @property
    def scored(self) -> Path:
        """What ``score`` writes every day and ``monitor`` reads: a folder a day."""
        return self.artifacts / "scored"

    @property
    def cache(self) -> Path:
        """Checkpoints and paid LLM replies: outside every stage's outputs, which DVC deletes before it runs a stage."""
        return self.root / ".cache"

    @property
    def tokens(self) -> Path:
        """All sessions as numbers, which ``pretrain`` keeps for the next time."""
        return self.cache / "tokens"

    @property
    def audit(self) -> Path:
        """What is done of an unfinished ``audit``, sessions among it."""
        return self.cache / "audit"

    @property
    def replies(self) -> Path:
        """Folder of paid LLM replies."""
        return self.cache / "llm"

    @property
    def llm_ledger(self) -> Path:
        """What LLM calls used; it holds no text."""
        return self.cache / "llm_ledger.jsonl"

    @property
    def forgotten(self) -> Path:
        """The list of who asked to be forgotten, as keyed hashes; ``ingest`` leaves their rows out."""
        return self.root / "forgotten.txt"

    @property
    def retrainings(self) -> Path:
        """One folder a retraining: a worktree with data, artifacts and reports of its own."""
        return self.root / ".work" / "retrain"

    @property
    def champion(self) -> Path:
        return self.root / "champion.json"

    @property
    def champions(self) -> Path:
        """One folder a promoted version: all that ``score`` and ``monitor`` read."""
        return self.root / "champions"


@dataclass(frozen=True)
class Staging:
    """A folder that mirrors the workspace while a stage runs."""

    root: Path
    folder: Path
    targets: list[Path] = field(default_factory=list)

    def path(self, target: Path) -> Path:
        """The place to write what shall become ``target``, a file or folder of the workspace; its parent exists."""
        if target not in self.targets:
            self.targets.append(target)
        written = self.folder / target.relative_to(self.root)
        written.parent.mkdir(parents=True, exist_ok=True)
        return written

    def publish(self) -> None:
        """Moves every target to its place, replacing what was there."""
        for target in self.targets:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            (self.folder / target.relative_to(self.root)).replace(target)


@contextmanager
def staged(workspace: Workspace, stage: str) -> Iterator[Staging]:
    """Gives ``stage`` an empty folder to write in; what it wrote replaces the outputs when the block ends well.

    An interrupted stage leaves its former outputs as they were: each is moved in one rename, and only at the end.
    """
    folder = workspace.root / ".staging" / stage
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        staging = Staging(workspace.root, folder)
        yield staging
        staging.publish()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
