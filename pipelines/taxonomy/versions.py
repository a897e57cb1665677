"""A new taxonomy against the approved one: which intents are the same, what became of the others, how labels follow.

Intents are matched by content (the words of name, description, examples and keywords) and by the sessions that both
taxonomies were given to label, one to one (Kuhn 1955, the Hungarian method). A matched intent keeps its id, and an id
that was ever approved is given to nothing else. Not covered: ids retired more than one approval ago.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.optimize import linear_sum_assignment

from pipelines.schemas import OTHER
from pipelines.taxonomy.document import Category, Document, Intent, Labels, slug
from pipelines.taxonomy.words import content_words

MIN_SIMILARITY = 0.35  # mean of shared words and shared sessions from which two intents are one
MAIN_SHARE = 0.5  # of an intent's sessions that go to (or come from) one other: it was merged into (split from) that
MIN_PART = 0.1  # of the old intent's sessions that a part must have taken, for a split
MIN_MAPPED = 0.05  # shares of an old intent's sessions below this are noise of labelling

Kind = Literal["kept", "renamed", "merged", "split", "added", "retired"]


class Change(BaseModel):
    """What became of ``before`` (ids of the old taxonomy): ``after`` (ids of the new one)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    before: dict[str, str]  # name by id
    after: dict[str, str]


class Diff(BaseModel):
    """From one taxonomy to the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_version: str
    to_version: str
    why: str
    churn: float | None  # share of the sessions read whose strongest label gets another id; None without sessions
    n_sessions: int
    changes: list[Change]
    formerly: dict[str, dict[str, float]]

    def of_kind(self, kind: Kind) -> list[Change]:
        return [change for change in self.changes if change.kind == kind]


def renewed(
    old: Document, new: Document, old_labels: Sequence[Labels], new_labels: Sequence[Labels], why: str
) -> tuple[Document, Diff]:
    """Returns ``new`` with the ids of the intents of ``old`` that it still has, and what changed.

    Args:
        old: the approved taxonomy.
        new: the one that was made anew, its ids provisional.
        old_labels: of some sessions, by ``old``.
        new_labels: of the same sessions, by ``new``.
        why: the reason for making it, for people.
    """
    shared = _shared_sessions(old, new, old_labels, new_labels)  # (O, N)
    pairs = _matched(_similarity(old, new, shared))
    ids = _ids(old, new, pairs)
    formerly = _formerly(old, new, shared, pairs, ids)
    kept = _with_ids(old, new, ids).model_copy(update={"parent_version": old.version, "formerly": formerly})
    changes = _changes(old, new, shared, pairs, ids)
    return kept, Diff(
        from_version=old.version,
        to_version=kept.version,
        why=why,
        churn=_churn(shared, old, ids),
        n_sessions=len(old_labels),
        changes=changes,
        formerly=formerly,
    )


def translated(labels: Labels, formerly: dict[str, dict[str, float]]) -> Labels:
    """Returns labels that were given under the parent version, as the version that holds ``formerly`` reads them.

    An intent that went to nothing becomes "other".
    """
    found: Labels = {}
    for intent, score in labels.items():
        for successor, share in (formerly.get(intent) or {OTHER: 1.0}).items():
            found[successor] = min(1.0, found.get(successor, 0.0) + score * share)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _strongest(labels: Labels) -> str:
    return next(iter(labels), "")


def _shared_sessions(
    old: Document, new: Document, old_labels: Sequence[Labels], new_labels: Sequence[Labels]
) -> np.ndarray:
    """How many sessions have intent o first under the old taxonomy and n first under the new, (O, N)."""
    row = {intent: place for place, intent in enumerate(old.intent_ids)}
    column = {intent: place for place, intent in enumerate(new.intent_ids)}
    # the last row and column: sessions with none of the intents
    counts = np.zeros((len(row) + 1, len(column) + 1))
    for before, after in zip(old_labels, new_labels, strict=True):
        counts[row.get(_strongest(before), len(row)), column.get(_strongest(after), len(column))] += 1
    return counts


def _similarity(old: Document, new: Document, shared: np.ndarray) -> np.ndarray:
    """Mean of the words' cosine and of the shared sessions (F1); the words alone without sessions."""
    words = np.array([[_cosine(one, other) for other in new.intents] for one in old.intents])
    sizes = shared.sum(axis=1)[:-1, None] + shared.sum(axis=0)[None, :-1]
    sessions = np.divide(2 * shared[:-1, :-1], sizes, out=np.zeros(words.shape), where=sizes > 0)
    return np.where(sizes > 0, (words + sessions) / 2, words)


def _cosine(one: Intent, other: Intent) -> float:
    first, second = _words(one), _words(other)
    norms = math.sqrt(sum(n * n for n in first.values()) * sum(n * n for n in second.values()))
    return sum(count * second[word] for word, count in first.items()) / norms if norms else 0.0


def _words(intent: Intent) -> Counter[str]:
    return Counter(
        content_words(" ".join([intent.name, intent.description, *intent.examples, *intent.keywords, *intent.include]))
    )


def _matched(similarity: np.ndarray) -> dict[int, int]:
    """Old place by new place."""
    rows, columns = linear_sum_assignment(-similarity)
    return {
        int(new): int(old) for old, new in zip(rows, columns, strict=True) if similarity[old, new] >= MIN_SIMILARITY
    }


def _ids(old: Document, new: Document, pairs: dict[int, int]) -> list[str]:
    """The id of each new intent: that of its match, else one that the old taxonomy does not use."""
    taken = set(old.intent_ids)
    return [
        old.intent_ids[pairs[place]] if place in pairs else slug(intent.name, taken)
        for place, intent in enumerate(new.intents)
    ]


def _with_ids(old: Document, new: Document, ids: Sequence[str]) -> Document:
    """The new taxonomy with ``ids``; a category keeps its id where its name stays or most of its intents do."""
    id_of = dict(zip(new.intent_ids, ids, strict=True))
    taken: set[str] = set()
    categories: list[Category] = []
    home = {intent.id: category.id for category in old.categories for intent in category.intents}
    for category in new.categories:
        intents = [intent.model_copy(update={"id": id_of[intent.id]}) for intent in category.intents]
        same_name = [known.id for known in old.categories if known.name == category.name]
        votes = Counter(home[intent.id] for intent in intents if intent.id in home)
        most = [known for known, count in votes.most_common(1) if 2 * count > len(intents)]
        free = [known for known in [*same_name, *most] if known not in taken]
        if free:
            taken.add(free[0])
        chosen = free[0] if free else slug(category.name, taken | {known.id for known in old.categories})
        taken.add(chosen)
        categories.append(category.model_copy(update={"id": chosen, "intents": intents}))
    return new.with_categories(categories)


def _changes(
    old: Document, new: Document, shared: np.ndarray, pairs: dict[int, int], ids: Sequence[str]
) -> list[Change]:
    before, after = old.intents, new.intents
    new_of = {old_place: new_place for new_place, old_place in pairs.items()}
    parts = _main(shared.T[:-1, :-1], shared.sum(axis=0)[:-1])  # old place that most of a new intent comes from
    sinks = _main(shared[:-1, :-1], shared.sum(axis=1)[:-1])  # new place that most of an old intent goes to
    size = shared.sum(axis=1)
    split = {n: o for n, o in parts.items() if n not in pairs and o in new_of and shared[o, n] >= MIN_PART * size[o]}
    merged = {o: n for o, n in sinks.items() if o not in new_of}

    def change(kind: Kind, olds: Sequence[int], news: Sequence[int]) -> Change:
        return Change(
            kind=kind,
            before={before[place].id: before[place].name for place in olds},
            after={ids[place]: after[place].name for place in news},
        )

    changes: list[Change] = []
    for n, intent in enumerate(after):
        joined = [o for o, sink in merged.items() if sink == n]
        if n in pairs and joined:
            changes.append(change("merged", sorted([pairs[n], *joined]), [n]))
        elif n in pairs and pairs[n] in split.values():
            changes.append(change("split", [pairs[n]], [n, *[m for m, o in split.items() if o == pairs[n]]]))
        elif n in pairs:
            changes.append(change("kept" if before[pairs[n]].name == intent.name else "renamed", [pairs[n]], [n]))
        elif joined:
            changes.append(change("merged" if len(joined) > 1 else "renamed", joined, [n]))
        elif n not in split:
            changes.append(change("added", [], [n]))
    # parts of an intent that others were merged into are new beside it
    told = {intent for one in changes for intent in one.after}
    changes += [change("added", [], [n]) for n in split if ids[n] not in told]
    return changes + [change("retired", [o], []) for o in range(len(before)) if o not in new_of and o not in merged]


def _main(counts: np.ndarray, sizes: np.ndarray) -> dict[int, int]:
    """For each row the column that at least MAIN_SHARE of it lies in."""
    return {
        row: int(counts[row].argmax())
        for row in range(len(counts))
        if counts.shape[1] and sizes[row] and counts[row].max() >= MAIN_SHARE * sizes[row]
    }


def _formerly(
    old: Document, new: Document, shared: np.ndarray, pairs: dict[int, int], ids: Sequence[str]
) -> dict[str, dict[str, float]]:
    """By old id, the shares of its sessions by new id; an intent without sessions stays what it was matched to."""
    new_of = {old_place: new_place for new_place, old_place in pairs.items()}
    found: dict[str, dict[str, float]] = {}
    for place, intent in enumerate(old.intents):
        total = shared[place, :-1].sum()
        shares = {
            ids[n]: float(shared[place, n] / total) for n in range(len(new.intents)) if total and shared[place, n]
        }
        kept = {name: share for name, share in shares.items() if share >= MIN_MAPPED}
        if not kept and place in new_of:
            kept = {ids[new_of[place]]: 1.0}
        whole = sum(kept.values())
        ranked = sorted(kept.items(), key=lambda item: (-item[1], item[0]))
        found[intent.id] = {name: round(share / whole, 4) for name, share in ranked}
    return found


def _churn(shared: np.ndarray, old: Document, ids: Sequence[str]) -> float | None:
    """Share of the sessions whose strongest label changes its id; one that had no intent and still has none stays."""
    if not shared.sum():
        return None
    place_of = {intent: place for place, intent in enumerate(ids)}
    same = sum(shared[o, place_of[intent]] for o, intent in enumerate(old.intent_ids) if intent in place_of)
    return round(float(1 - (same + shared[-1, -1]) / shared.sum()), 6)
