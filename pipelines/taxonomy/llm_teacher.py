"""The teacher that is an LLM: writes a taxonomy over minibatches of sessions, then labels sessions with it.

Source: TnT-LLM (arXiv 2403.12173), its generate and update steps.
"""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy import labelling
from pipelines.taxonomy.document import Category, Document, Intent, Labels, Name, document, slug
from pipelines.taxonomy.progress import shown
from pipelines.taxonomy.prompt import messages
from pipelines.taxonomy.question import Asked, Question
from pipelines.taxonomy.rendering import RenderedSession, clean

MAX_WRITTEN = 300  # characters of a description
SAMPLING_TEMPERATURE = 0.7  # where samples must differ; a single label is drawn at 0


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _plain(text: str) -> str:
    """The text as plain words: it may repeat what a hostile page says, and goes into files that people open."""
    cleaned = clean(text, MAX_WRITTEN)
    if cleaned is None:
        raise ValueError("holds no word")
    return cleaned


Written = Annotated[str, AfterValidator(_plain)]


class ProposedIntent(_Reply):
    """An intent as the model writes it, without an id."""

    name: Annotated[Name, AfterValidator(_plain)]
    description: Written
    examples: Annotated[list[Written], Field(max_length=10)]
    keywords: Annotated[list[Written], Field(max_length=20)]


class ProposedCategory(_Reply):
    """A category as the model writes it."""

    name: Annotated[Name, AfterValidator(_plain)]
    description: Written
    intents: Annotated[list[ProposedIntent], Field(min_length=1)]


class ProposedTaxonomy(_Reply):
    """Reply to generate.md and update.md."""

    categories: Annotated[list[ProposedCategory], Field(min_length=1)]

    @model_validator(mode="after")
    def _within_bounds(self, info: ValidationInfo) -> Self:
        names = [intent.name.casefold() for category in self.categories for intent in category.intents]
        if len(set(names)) != len(names):
            raise ValueError("an intent's name is given twice")
        if info.context is not None and len(names) > info.context["max_intents"]:
            raise ValueError(f"{len(names)} intents, at most {info.context['max_intents']} are allowed")
        return self


class LlmTeacher:
    """Makes taxonomies and labels by asking ``llm``."""

    def __init__(self, llm: Asked, params: TaxonomyParams) -> None:
        self.llm = llm
        self.params = params
        self.model = self.second_model = params.model

    def propose(self, sessions: Sequence[RenderedSession]) -> Document:
        """Returns the taxonomy of what ``sessions`` show; an intent that leads in few of them is dropped."""
        proposal: Document | None = None
        for batch in shown(_batches(sessions, self.params.batch_size), "taxonomy: reading"):
            proposal = _with_ids(self.llm.ask(self._question(batch, proposal)), self.model)
        assert proposal is not None  # sampling gives at least one session
        labels = self._labels(sessions, proposal, [0], 0.0)
        return proposal.supported([list(given or ()) for given in labels], self.params.min_sessions)

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of each session: the share of ``samples_per_session`` answers that name an intent."""
        n_samples = self.params.samples_per_session
        return self._labels(sessions, taxonomy, range(n_samples), SAMPLING_TEMPERATURE if n_samples > 1 else 0.0)

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of one more sample: how well the teacher agrees with itself bounds any student."""
        return self._labels(sessions, taxonomy, [self.params.samples_per_session], SAMPLING_TEMPERATURE)

    def used(self) -> str:
        """Returns the calls and their cost."""
        return self.llm.used()

    def finish(self) -> None:
        """Ends the run's budget."""
        self.llm.finish()

    def _labels(
        self, sessions: Sequence[RenderedSession], taxonomy: Document, samples: Sequence[int], temperature: float
    ) -> list[Labels | None]:
        answers = [
            self.llm.answers(
                labelling.questions(sessions, taxonomy, sample, temperature),
                f"taxonomy: labelling, sample {sample + 1}",
            )
            for sample in samples
        ]
        return labelling.agreement(answers, self.model)

    def _question(self, batch: Sequence[RenderedSession], taxonomy: Document | None) -> Question[ProposedTaxonomy]:
        material: dict[str, object] = {"sessions": [{"channel": s.channel, "events": s.rows()} for s in batch]}
        if taxonomy is not None:
            material = {"taxonomy": [category.model_dump() for category in taxonomy.categories]} | material
        name = "generate" if taxonomy is None else "update"
        limits = {"max_intents": self.params.max_intents}
        return Question(
            purpose=name,
            messages=messages(name, limits, material),
            reply_type=ProposedTaxonomy,
            expected=_usual(self.params.max_intents),
            context=limits,
        )


def _usual(max_intents: int) -> ProposedTaxonomy:
    """A taxonomy of the size that is to be expected."""
    intents = [
        ProposedIntent(
            name=f"Compare usual things {number}",
            description="Visitors who compare things of one kind before they choose one of them for themselves.",
            examples=["Title of a page"] * 5,
            keywords=["word"] * 10,
        )
        for number in range(max_intents)
    ]
    return ProposedTaxonomy(
        categories=[ProposedCategory(name="Things", description="All that is about things.", intents=intents)]
    )


def _batches(sessions: Sequence[RenderedSession], size: int) -> list[Sequence[RenderedSession]]:
    return [sessions[start : start + size] for start in range(0, len(sessions), size)]


def _with_ids(proposed: ProposedTaxonomy, model: str) -> Document:
    category_ids: set[str] = set()
    intent_ids: set[str] = set()
    categories = []
    for category in proposed.categories:
        intents = [Intent(id=slug(intent.name, intent_ids), **intent.model_dump()) for intent in category.intents]
        category_id = slug(category.name, category_ids)
        categories.append(
            Category(id=category_id, name=category.name, description=category.description, intents=intents)
        )
    return document(categories, model)
