"""A taxonomy by an LLM: sessions are summarised, a taxonomy is generated, updated until it stands still, and reviewed.

Source: TnT-LLM (arXiv 2403.12173), phase 1; we stop at saturation instead of reading a fixed number of minibatches.
"""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.document import Category, Document, Intent, Name, document, slug
from pipelines.taxonomy.progress import shown
from pipelines.taxonomy.prompt import messages
from pipelines.taxonomy.question import Asked, Question, Unusable
from pipelines.taxonomy.rendering import RenderedSession, clean

MAX_WRITTEN = 300  # characters of a description, a note or a summary
N_BATCHES = 5  # of summaries that an update reads
N_CALM = 2  # updates in a row that change nothing, after which more sessions are not read
MAX_CALM = 0.05  # share of the names that two taxonomies do not share, up to which nothing changed


class _Reply(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _plain(text: str) -> str:
    """The text as plain words: it may repeat what a hostile page says, and goes into files that people open."""
    cleaned = clean(text, MAX_WRITTEN)
    if cleaned is None:
        raise ValueError("holds no word")
    return cleaned


Written = Annotated[str, AfterValidator(_plain)]


class Summaries(_Reply):
    """Reply to summarise.md: one a session, in their order."""

    summaries: list[Written]

    @model_validator(mode="after")
    def _one_each(self, info: ValidationInfo) -> Self:
        if info.context is not None and len(self.summaries) != info.context["n_sessions"]:
            raise ValueError(f"{len(self.summaries)} summaries, {info.context['n_sessions']} sessions were given")
        return self


class ProposedIntent(_Reply):
    """An intent as the model writes it, without an id."""

    name: Annotated[Name, AfterValidator(_plain)]
    description: Written
    include: Annotated[list[Written], Field(max_length=5)]
    exclude: Annotated[list[Written], Field(max_length=5)]
    examples: Annotated[list[Written], Field(max_length=10)]
    keywords: Annotated[list[Written], Field(max_length=20)]


class ProposedCategory(_Reply):
    """A category as the model writes it."""

    name: Annotated[Name, AfterValidator(_plain)]
    description: Written
    intents: Annotated[list[ProposedIntent], Field(min_length=1)]


class ProposedTaxonomy(_Reply):
    """Reply to generate.md, update.md and review.md."""

    categories: Annotated[list[ProposedCategory], Field(min_length=1)]

    @model_validator(mode="after")
    def _within_bounds(self, info: ValidationInfo) -> Self:
        names = [name.casefold() for name in self.names]
        if len(set(names)) != len(names):
            raise ValueError("an intent's name is given twice")
        if info.context is not None and len(names) > info.context["max_intents"]:
            raise ValueError(f"{len(names)} intents, at most {info.context['max_intents']} are allowed")
        return self

    @property
    def names(self) -> list[str]:
        return [intent.name for category in self.categories for intent in category.intents]


def generate(
    llm: Asked, sessions: Sequence[RenderedSession], params: TaxonomyParams
) -> tuple[Document, list[RenderedSession]]:
    """Returns the taxonomy of what ``sessions`` show, and those of them that were read until it stood still.

    Raises:
        TeacherError: the model gave no usable reply.
    """
    made: ProposedTaxonomy | None = None
    n_calm, read = 0, list[RenderedSession]()
    for number, group in enumerate(shown(_cut(sessions, N_BATCHES * params.batch_size), "taxonomy: reading")):
        read.extend(group)
        summaries = _summaries(llm, group, params.batch_size)
        updated = llm.ask(_question("update" if made else "generate", made, summaries, params.max_intents, number))
        n_calm = n_calm + 1 if made is not None and moved(made, updated) <= MAX_CALM else 0
        made = updated
        if n_calm == N_CALM:
            break
    assert made is not None  # sampling gives at least one session
    reviewed = llm.ask(_question("review", made, [], params.max_intents, 0))
    return _with_ids(reviewed, params.model), read


def moved(one: ProposedTaxonomy, other: ProposedTaxonomy) -> float:
    """Returns the share of the intents' names that only one of the two has."""
    names, others = ({name.casefold() for name in taxonomy.names} for taxonomy in (one, other))
    return len(names ^ others) / len(names | others)


def _summaries(llm: Asked, sessions: Sequence[RenderedSession], batch_size: int) -> list[str]:
    """A sentence a session; a batch whose reply cannot be used is left out, since others say the same."""
    questions = []
    for batch in _cut(sessions, batch_size):
        material = {"sessions": [{"channel": session.channel, "events": session.rows()} for session in batch]}
        usual = Summaries(
            summaries=["Compares the rates of two loans, then looks for what applying would take."] * len(batch)
        )
        context = {"n_sessions": len(batch)}
        questions.append(Question("summarise", messages("summarise", {}, material), Summaries, usual, context))
    answers = llm.answers(questions)
    return [said for answer in answers if not isinstance(answer, Unusable) for said in answer.summaries]


def _question(
    purpose: str, taxonomy: ProposedTaxonomy | None, summaries: Sequence[str], max_intents: int, number: int
) -> Question[ProposedTaxonomy]:
    material: dict[str, object] = {}
    if taxonomy is not None:
        material["taxonomy"] = taxonomy.model_dump()["categories"]
    if summaries:
        material["sessions"] = list(summaries)
    limits = {"max_intents": max_intents}
    return Question(purpose, messages(purpose, limits, material), ProposedTaxonomy, _usual(max_intents, number), limits)


def _usual(max_intents: int, number: int) -> ProposedTaxonomy:
    """A taxonomy of the size that is to be expected; one a number, so that a dry run never finds it standing still."""
    intents = [
        ProposedIntent(
            name=f"Compare usual things {number}-{place}",
            description="Visitors who compare things of one kind before they choose one of them for themselves.",
            include=["Looks at one of them at length"],
            exclude=["Has one of them and needs help"],
            examples=["Title of a page"] * 5,
            keywords=["word"] * 10,
        )
        for place in range(max_intents)
    ]
    return ProposedTaxonomy(
        categories=[ProposedCategory(name="Things", description="All that is about things.", intents=intents)]
    )


def _cut(sessions: Sequence[RenderedSession], size: int) -> list[Sequence[RenderedSession]]:
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
