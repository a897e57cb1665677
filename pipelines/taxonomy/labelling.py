"""Labels by an LLM: one session a request, soft by agreement over samples.

One session a request, although the taxonomy goes along each time: a session then decides nobody's label but its own
(hostile text, position and neighbours included), the stored reply is keyed by what the session shows and by the
taxonomy, and a kill loses one session. The taxonomy comes first, where providers reuse what requests share. What a
model says of its own confidence is not asked for: it barely discriminates. No unusable reply is "other".
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from pipelines.errors import UnusableError
from pipelines.schemas import OTHER
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.prompt import messages
from pipelines.taxonomy.question import Question, Unusable
from pipelines.taxonomy.rendering import RenderedSession

PURPOSE = "label"
MAX_INTENTS = 5  # of a session; without an end to the list a small model goes on and on
MAX_UNUSABLE_SHARE = (
    0.05  # of the sessions; a model that fails on more is the wrong one, as in ingest.max_rejected_share
)


def questions(
    sessions: Sequence[RenderedSession], taxonomy: Document, sample: int, temperature: float
) -> list[Question[Any]]:
    """Returns what to ask for the intents of each session."""
    reply_type = _reply_type(taxonomy.intent_ids)
    shown = [{"id": i.id, "name": i.name, "description": i.description} for i in taxonomy.intents]
    ids, n_sessions = taxonomy.intent_ids, len(sessions)
    return [
        Question(
            purpose=PURPOSE,
            messages=messages("label", {}, {"taxonomy": shown, "session": _shown(session)}),
            reply_type=reply_type,
            expected=reply_type(intents=[ids[int(len(ids) * (number / n_sessions) ** 2)]]),  # skewed, as intents are
            sample=sample,
            temperature=temperature,
        )
        for number, session in enumerate(sessions)
    ]


def agreement(samples: Sequence[Sequence[Any]], model: str) -> list[Labels | None]:
    """Returns the labels of each session: the share of its usable answers that name an intent, the strongest first.

    Args:
        samples: the answers of each sample, (K, N).
        model: named in the message.

    Returns:
        None for a session without a usable answer.

    Raises:
        UnusableError: more than MAX_UNUSABLE_SHARE of the sessions have none.
    """
    labels: list[Labels | None] = []
    reasons: Counter[str] = Counter()
    for answers in zip(*samples, strict=True):
        usable = [answer.intents for answer in answers if not isinstance(answer, Unusable)]
        labels.append(_shares(usable) if usable else None)
        if not usable:
            reasons[answers[0].why] += 1
    n_unusable = sum(reasons.values())
    if n_unusable > MAX_UNUSABLE_SHARE * len(labels):
        [(why, count)] = reasons.most_common(1)
        raise UnusableError(
            f"{model} gave no usable answer for {n_unusable} of {len(labels)} sessions, at most "
            f"{MAX_UNUSABLE_SHARE:.0%} may go without: {count} times {why}; try another model"
        )
    return labels


def _shares(answers: Sequence[Sequence[str]]) -> Labels:
    counts = Counter(intent for answer in answers for intent in answer)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {intent: count / len(answers) for intent, count in ranked}


def _shown(session: RenderedSession) -> dict[str, object]:
    return {"channel": session.channel, "events": session.rows()}


def _once_each(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def _reply_type(intent_ids: Sequence[str]) -> type[BaseModel]:
    """The reply to label.md; ids that the taxonomy lacks are no part of the type."""
    known: Any = Literal[(*intent_ids, OTHER)]
    return create_model(
        "SessionLabels",
        __config__=ConfigDict(extra="forbid"),
        intents=(Annotated[list[known], Field(max_length=MAX_INTENTS), AfterValidator(_once_each)], ...),
    )
