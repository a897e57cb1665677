"""Who teaches: one of two, chosen by ``taxonomy.model``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.offline import MODEL, OfflineTeacher
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.rendering import RenderedSession
from pipelines.taxonomy.replies import Replies


class Teacher(Protocol):
    """Makes the taxonomy out of sessions, and labels sessions with it, by their rendered text alone."""

    @property
    def model(self) -> str:
        """Who labels; goes into the labels table."""

    @property
    def second_model(self) -> str:
        """Who labels the second time."""

    def study(self, sessions: Sequence[RenderedSession]) -> None:
        """Gets to know ``sessions`` of the training part before anything else is asked."""

    def propose(self, sessions: Sequence[RenderedSession], may: Quotable) -> Document:
        """Returns the taxonomy of what ``sessions`` show, quoting only what it ``may``."""

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the soft labels of each session; None where the teacher gave no usable answer."""

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns a second labelling that knows nothing of the first."""

    def used(self) -> str:
        """Returns what the run cost, in words; empty for nothing."""

    def finish(self) -> None:
        """Ends the run: the next one begins with its whole budget."""


def teacher(params: TaxonomyParams, replies: Replies, ledger: Path, dry_run: bool = False) -> Teacher:
    """Returns the teacher that ``taxonomy.model`` names.

    Args:
        params: of the stage.
        replies: where an LLM's are kept.
        ledger: the file that keeps what it used.
        dry_run: an LLM is not called; ``used`` tells what it would cost.
    """
    if params.model == MODEL:
        return OfflineTeacher(params)
    from pipelines.taxonomy.dry_run import Rehearsal
    from pipelines.taxonomy.ledger import Ledger
    from pipelines.taxonomy.llm import llm_of
    from pipelines.taxonomy.llm_teacher import LlmTeacher

    if dry_run:
        return LlmTeacher(Rehearsal(params, replies), params)
    return LlmTeacher(llm_of(params, replies, Ledger(ledger, params.budget_usd)), params)
