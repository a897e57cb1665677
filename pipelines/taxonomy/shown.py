"""What people are shown of each intent: sessions and pages, nothing that few visitors saw."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.rendering import RenderedSession
from pipelines.taxonomy.scores import strongest
from pipelines.taxonomy.words import page_key, search_key, spoken

N_SESSIONS = 3  # an intent
N_TOP = 8  # pages and searches an intent
MAX_ROWS = 8  # of a session


def by_intent(
    sessions: Sequence[RenderedSession], labels: Sequence[Labels], taxonomy: Document, may: Quotable
) -> dict[str, Any]:
    """Returns for every intent example sessions, and the pages and searches that most of its sessions show.

    Examples are the sessions that are most of all about the intent, each event of them shown by enough visitors.
    """
    members: Mapping[str, list[tuple[float, RenderedSession]]] = defaultdict(list)
    for session, given in zip(sessions, labels, strict=True):
        if given:
            members[strongest(given)].append((given[strongest(given)], session))
    return {
        intent: {"sessions": _examples(members[intent], may), **_top([one for _, one in members[intent]], may)}
        for intent in taxonomy.intent_ids
    }


def _examples(members: Sequence[tuple[float, RenderedSession]], may: Quotable) -> list[dict[str, Any]]:
    ranked = sorted(members, key=lambda one: (not _telling(one[1]), -one[0], one[1].session_id))
    chosen: list[dict[str, Any]] = []
    for _, session in ranked:
        rows = session.rows()
        if may.rows(session) != rows or any(rows == known["events"] for known in chosen):
            continue
        chosen.append({"channel": session.channel, "events": rows})
        if len(chosen) == N_SESSIONS:
            break
    return chosen


def _telling(session: RenderedSession) -> bool:
    return 2 <= len(session.rows()) <= MAX_ROWS


def _top(sessions: Sequence[RenderedSession], may: Quotable) -> dict[str, list[list[Any]]]:
    pages: Counter[str] = Counter()
    searches: Counter[str] = Counter()
    for session in sessions:
        rows = session.rows()
        pages.update({spoken(key, set()) for row in rows if (key := page_key(row)) is not None})
        searches.update({query for row in rows if (query := search_key(row)) is not None})
    return {
        name: [[said, round(count / len(sessions), 6)] for said, count in _commonest(counts) if may.text(said)][:N_TOP]
        for name, counts in (("pages", pages), ("searches", searches))
    }


def _commonest(counts: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent first; equally frequent ones by name, since a set gives them in any order."""
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
