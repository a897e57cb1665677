"""The teacher's labels as a table, and what is reported of them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipelines import schemas
from pipelines.html_page import MACHINERY_ONLY
from pipelines.taxonomy import scores
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.offline import MODEL as OFFLINE
from pipelines.taxonomy.rendering import RenderedSession
from pipelines.taxonomy.sample import Sample


def label_table(
    sessions: Sequence[RenderedSession], labels: Sequence[Labels], taxonomy: Document, model: str
) -> pa.Table:
    """Returns schemas.LABELS, one row a session in the order given; a session without evidence has empty lists."""
    columns = {
        "session_id": [session.session_id for session in sessions],
        "intents": [list(given) for given in labels],
        "scores": [list(given.values()) for given in labels],
        "taxonomy_version": [taxonomy.version] * len(sessions),
        "model": [model] * len(sessions),
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schemas.LABELS})


def answered(
    sessions: Sequence[RenderedSession], labels: Sequence[Labels | None]
) -> tuple[list[RenderedSession], list[Labels]]:
    """Returns the sessions that the teacher gave a usable answer for, and their labels."""
    pairs = [(session, given) for session, given in zip(sessions, labels, strict=True) if given is not None]
    return [session for session, _ in pairs], [given for _, given in pairs]


def report(
    sample: Sample,
    labels: Sequence[Labels],
    second: Sequence[Labels],
    taxonomy: Document,
    model: str,
    split_of: Mapping[str, str],
    remade: scores.Remade | None,
) -> str:
    """Returns reports/taxonomy.json; every value in it is the same when the stage runs again.

    Args:
        sample: what was drawn.
        labels: of ``sample.label``.
        second: of ``sample.second``.
        taxonomy: that they are of.
        model: that gave them.
        split_of: the split of each session.
        remade: ``scores.remade``.
    """
    n_by_intent = Counter(intent for given in labels for intent in given)
    n_strongest = Counter(next(iter(given)) for given in labels if given)
    category_of = {intent.id: category.id for category in taxonomy.categories for intent in category.intents}
    n_named = sum(bool(given) for given in labels)
    by_session = [
        {one.session_id: given for one, given in zip(sessions, lists, strict=True)}
        for sessions, lists in ((sample.label, labels), (sample.second, second))
    ]
    content = {
        "model": model,
        "machinery_only": MACHINERY_ONLY if model == OFFLINE else None,
        "taxonomy_version": taxonomy.version,
        "n_read": len(sample.read),
        "n_labelled": len(sample.label),
        "by_split": dict(sorted(Counter(split_of[session.session_id] for session in sample.label).items())),
        "by_channel": dict(sorted(Counter(session.channel for session in sample.label).items())),
        "coverage": scores.covered_share(labels),
        "other_share": scores.other_share(labels),
        "nothing_share": round(1 - n_named / len(labels), 6) if labels else None,
        "intents_per_labelled_session": round(sum(n_by_intent.values()) / n_named, 6) if n_named else None,
        "second_labelling": scores.agreement(*by_session),
        "overlap": scores.overlap(labels, taxonomy),
        "stability": remade.report() if remade else None,
        "intents": [
            {
                "id": intent.id,
                "name": intent.name,
                "category": category_of[intent.id],
                "n_sessions": n_by_intent[intent.id],
                "n_strongest": n_strongest[intent.id],
            }
            for intent in taxonomy.intents
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
