"""The teacher's labels as a table, and what is reported of them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from pipelines import schemas
from pipelines.taxonomy.document import Document, Labels
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
) -> str:
    """Returns the JSON report; every value in it is the same when the stage runs again."""
    n_by_intent = Counter(intent for given in labels for intent in given)
    n_strongest = Counter(next(iter(given)) for given in labels if given)
    n_unlabelled = sum(not given for given in labels)
    category_of = {intent.id: category.id for category in taxonomy.categories for intent in category.intents}
    content = {
        "model": model,
        "taxonomy_version": taxonomy.version,
        "n_read": len(sample.read),
        "n_labelled": len(sample.label),
        "n_labelled_twice": len(sample.second),
        "by_split": dict(sorted(Counter(split_of[session.session_id] for session in sample.label).items())),
        "by_channel": dict(sorted(Counter(session.channel for session in sample.label).items())),
        "coverage": _share(len(labels) - n_unlabelled, len(labels)),
        "unlabelled_share": _share(n_unlabelled, len(labels)),
        "intents_per_labelled_session": _share(sum(n_by_intent.values()), len(labels) - n_unlabelled),
        "same_strongest_share": _same_strongest(sample, labels, second),
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


def _same_strongest(sample: Sample, labels: Sequence[Labels], second: Sequence[Labels]) -> float | None:
    """Share of the sessions labelled twice for which both name the same intent first, or both none."""
    first = {session.session_id: next(iter(given), None) for session, given in zip(sample.label, labels, strict=True)}
    pairs = [
        (first[session.session_id], next(iter(given), None))
        for session, given in zip(sample.second, second, strict=True)
        if session.session_id in first
    ]
    return _share(sum(one == other for one, other in pairs), len(pairs))


def _share(count: int, total: int) -> float | None:
    return round(count / total, 6) if total else None
