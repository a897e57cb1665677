"""Who teaches: one of two, chosen by ``taxonomy.model``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.offline import MODEL, OfflineTeacher
from pipelines.taxonomy.rendering import RenderedSession


class Teacher(Protocol):
    """Makes the taxonomy out of sessions, and labels sessions with it, by their rendered text alone."""

    @property
    def model(self) -> str:
        """Who labels; goes into the labels table."""

    @property
    def second_model(self) -> str:
        """Who labels the second time."""

    def propose(self, sessions: Sequence[RenderedSession]) -> Document:
        """Returns the taxonomy of what ``sessions`` show."""

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels]:
        """Returns the soft labels of each session."""

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels]:
        """Returns a second labelling that knows nothing of the first."""

    def used(self) -> str:
        """Returns what the run cost, in words; empty for nothing."""


def teacher(params: TaxonomyParams, replies: Path) -> Teacher:
    """Returns the teacher that ``taxonomy.model`` names; an LLM keeps its replies in the folder ``replies``."""
    if params.model == MODEL:
        return OfflineTeacher(params)
    from pipelines.taxonomy.llm import Client
    from pipelines.taxonomy.llm_teacher import LlmTeacher
    from pipelines.taxonomy.provider import Provider

    provider = Provider(params.model, params.api_base, params.timeout_seconds, params.max_attempts)
    return LlmTeacher(Client(provider, params.budget_usd, replies, params.replay), params)
