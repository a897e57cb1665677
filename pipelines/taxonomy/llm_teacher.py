"""The teacher that is an LLM: writes a taxonomy over minibatches of sessions, then labels sessions with it.

Source: TnT-LLM (arXiv 2403.12173), its generate and update steps. A soft score is the agreement over samples, since
what a model says of its own confidence barely discriminates. A reply that cannot be parsed is an error, never "other".
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.document import Category, Document, Intent, Labels, Name, document, slug
from pipelines.taxonomy.llm import Client
from pipelines.taxonomy.progress import shown
from pipelines.taxonomy.rendering import RenderedSession, clean

PROMPTS = Path(__file__).parent / "prompts"
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


class SessionLabels(_Reply):
    """The intents of one session."""

    session: str
    intents: list[str]


class LabelledSessions(_Reply):
    """Reply to label.md."""

    sessions: list[SessionLabels]

    @model_validator(mode="after")
    def _what_was_asked(self, info: ValidationInfo) -> Self:
        if info.context is None:
            return self
        if sorted(labelled.session for labelled in self.sessions) != sorted(info.context["keys"]):
            raise ValueError("the sessions are not those that were asked for, each once")
        for labelled in self.sessions:
            if not set(labelled.intents) <= info.context["intent_ids"]:
                raise ValueError("an intent id is not of the taxonomy")
            if len(set(labelled.intents)) != len(labelled.intents):
                raise ValueError("an intent id is given twice for a session")
        return self


class LlmTeacher:
    """Makes taxonomies and labels by asking ``client``."""

    def __init__(self, client: Client, params: TaxonomyParams) -> None:
        self.client = client
        self.params = params
        self.model = self.second_model = params.model

    def propose(self, sessions: Sequence[RenderedSession]) -> Document:
        """Returns the taxonomy of what ``sessions`` show; an intent that leads in few of them is dropped."""
        proposal: Document | None = None
        for batch in shown(_batches(sessions, self.params.batch_size), "taxonomy: reading"):
            values = {"max_intents": str(self.params.max_intents), "sessions": _as_json(_keyed(batch))}
            prompt = "generate" if proposal is None else "update"
            if proposal is not None:
                values["taxonomy"] = _as_json([category.model_dump() for category in proposal.categories])
            context = {"max_intents": self.params.max_intents}
            reply = self.client.ask(_messages(prompt, values), ProposedTaxonomy, context, sample=0, temperature=0.0)
            proposal = _with_ids(reply, self.model)
        assert proposal is not None  # sampling gives at least one session
        return proposal.supported(self._sample(sessions, proposal, 0, 0.0), self.params.min_sessions)

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels]:
        """Returns the labels of each session: the share of ``samples_per_session`` answers that name an intent."""
        n_samples = self.params.samples_per_session
        temperature = SAMPLING_TEMPERATURE if n_samples > 1 else 0.0
        samples = [self._sample(sessions, taxonomy, sample, temperature) for sample in range(n_samples)]
        return [_agreement(answers) for answers in zip(*samples, strict=True)]

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels]:
        """Returns the labels of one more sample: how well the teacher agrees with itself bounds any student."""
        again = self._sample(sessions, taxonomy, self.params.samples_per_session, SAMPLING_TEMPERATURE)
        return [_agreement([answer]) for answer in again]

    def used(self) -> str:
        """Returns the calls and their cost."""
        ledger = self.client.ledger
        return f"; {ledger.n_calls:,} calls, {ledger.n_cached:,} stored replies, {ledger.cost_usd:.4f} USD"

    def _sample(
        self, sessions: Sequence[RenderedSession], taxonomy: Document, sample: int, temperature: float
    ) -> list[list[str]]:
        """The intents of each session in one sample of answers."""
        described = _as_json([{"id": i.id, "name": i.name, "description": i.description} for i in taxonomy.intents])
        answers: list[list[str]] = []
        for batch in shown(_batches(sessions, self.params.batch_size), f"taxonomy: labelling, sample {sample + 1}"):
            keyed = _keyed(batch)
            messages = _messages("label", {"taxonomy": described, "sessions": _as_json(keyed)})
            context = {"keys": list(keyed), "intent_ids": set(taxonomy.intent_ids)}
            reply = self.client.ask(messages, LabelledSessions, context, sample, temperature)
            by_key = {labelled.session: labelled.intents for labelled in reply.sessions}
            answers.extend(by_key[key] for key in keyed)
        return answers


def _batches(sessions: Sequence[RenderedSession], size: int) -> list[Sequence[RenderedSession]]:
    return [sessions[start : start + size] for start in range(0, len(sessions), size)]


def _keyed(batch: Sequence[RenderedSession]) -> dict[str, object]:
    """The sessions under keys of their own: their ids are not shown."""
    return {
        f"s{number}": {"channel": session.channel, "events": session.rows()} for number, session in enumerate(batch, 1)
    }


def _messages(prompt: str, values: dict[str, str]) -> list[dict[str, str]]:
    """One user message; the values are put in by one pass, so that braces inside them stay as they are."""
    template = (PROMPTS / f"{prompt}.md").read_text(encoding="utf-8")
    return [{"role": "user", "content": template.format_map(values)}]


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


def _agreement(answers: Sequence[Sequence[str]]) -> Labels:
    counts = Counter(intent for answer in answers for intent in answer)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {intent: count / len(answers) for intent, count in ranked}


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
