"""Groups of pages and searches that are about the same thing: by meaning, words, place on the site, and who shows both.

No session embedding is read here: the teacher must not learn from what it is to teach.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from pipelines.taxonomy.meaning import vectors as meaning_vectors
from pipelines.taxonomy.n_topics import best_cut, grouped
from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.words import area, content_words, page_key, search_key, spoken

MIN_VISITS = (
    3  # sessions that must show a page or search before it shapes a topic: a hostile title seen once shapes none
)
MAX_SUBJECTS = 4_000  # the commonest; clustering holds the distances of all pairs
N_COVISIT_DIMENSIONS = 16
N_WORD_DIMENSIONS = 150
WORDS_WEIGHT, MEANING_WEIGHT, AREA_WEIGHT, COVISIT_WEIGHT = 0.3, 1.0, 0.3, 2.0
"""Chosen on validation sessions by a score that reads no truth (docs/decisions/0007-taxonomy.md)."""


@dataclass(frozen=True)
class Subject:
    """A page or a search as sessions show it."""

    key: str
    path: str
    area: str
    words: str  # of title and path, or of the search
    n_sessions: int
    app_share: float
    is_search: bool


Topic = list[Subject]
"""Pages and searches of one topic, the most visited first."""

Visit = dict[str, Row]
"""The rows of a session by the key of what they show."""


def topics(sessions: Sequence[RenderedSession], max_topics: int) -> list[Topic]:
    """Returns at most ``max_topics`` groups of what enough sessions show, the largest first."""
    visits = [_visit(session) for session in sessions]
    subjects = _subjects(sessions, visits)
    if len(subjects) <= 1:
        return [subjects] if subjects else []
    fixed = _content_vectors(subjects)
    row_of = {subject.key: row for row, subject in enumerate(subjects)}
    seen = [[row_of[key] for key in visit if key in row_of] for visit in visits]
    n_topics = best_cut(lambda made_from: _vectors(fixed, made_from), seen, max_topics)
    groups = grouped(_vectors(fixed, seen), n_topics)
    found = [[one for one, of in zip(subjects, groups, strict=True) if of == group] for group in range(max(groups) + 1)]
    ranked = [sorted(topic, key=lambda subject: (-subject.n_sessions, subject.key)) for topic in found]
    return sorted(ranked, key=lambda topic: (-sum(subject.n_sessions for subject in topic), topic[0].key))


def _visit(session: RenderedSession) -> Visit:
    """The first row of each thing, in order; a search and the page it was made on are two."""
    visit: Visit = {}
    for row in session.rows():
        for key in (page_key(row), search_key(row)):
            if key is not None:
                visit.setdefault(key, row)
    return visit


def _subjects(sessions: Sequence[RenderedSession], visits: Sequence[Visit]) -> list[Subject]:
    """What at least MIN_VISITS sessions show; where most sessions show nothing of that kind, all that any shows."""
    n_sessions = Counter(key for visit in visits for key in visit)
    common = {key for key, count in n_sessions.items() if count >= MIN_VISITS}
    n_empty = sum(not visit for visit in visits)
    n_known = sum(not common.isdisjoint(visit) for visit in visits)
    if 2 * n_known < len(visits) - n_empty and not any(page_key(row) for visit in visits for row in visit.values()):
        common = set(n_sessions)
    in_app = Counter(
        key for visit, session in zip(visits, sessions, strict=True) if session.channel == "app" for key in visit
    )
    rows = _commonest_rows(visits)
    ranked = sorted(common, key=lambda key: (-n_sessions[key], crc32(key.encode())))[:MAX_SUBJECTS]  # else A to C only
    return [_subject(key, rows[key], n_sessions[key], in_app[key] / n_sessions[key]) for key in sorted(ranked)]


def _subject(key: str, row: Row, n_sessions: int, app_share: float) -> Subject:
    if key == search_key(row):
        return Subject(key, "", "", key, n_sessions, app_share, is_search=True)
    words = f"{row.get('title', '')} {row.get('page', '')}"
    return Subject(key, str(row.get("page", "")), area(row), words, n_sessions, app_share, is_search=False)


def _commonest_rows(visits: Sequence[Visit]) -> Visit:
    """A row of each key, with its commonest path where pages share a title."""
    paths = Counter((key, str(row.get("page", ""))) for visit in visits for key, row in visit.items())
    chosen: Visit = {}
    for visit in visits:
        for key, row in visit.items():
            if key not in chosen or _rank(paths, key, row) < _rank(paths, key, chosen[key]):
                chosen[key] = row
    return chosen


def _rank(paths: Mapping[tuple[str, str], int], key: str, row: Row) -> tuple[int, str]:
    path = str(row.get("page", ""))
    return -paths[key, path], path


def _vectors(fixed: np.ndarray, seen: Sequence[Sequence[int]]) -> np.ndarray:
    """Unit vectors (S, M + V + A + C): meaning, words, area, and who shows both."""
    return _unit(np.hstack([fixed, COVISIT_WEIGHT * _covisit_vectors(len(fixed), seen)]))


def _content_vectors(subjects: Sequence[Subject]) -> np.ndarray:
    meaning = meaning_vectors([spoken(subject.key, set()) for subject in subjects])
    areas = sorted({subject.area for subject in subjects if subject.area})
    by_area = np.array([[float(one.area == name) for name in areas] for one in subjects]).reshape(len(subjects), -1)
    by_area *= by_area.sum(axis=0) > 1  # a page alone in its area is near nobody for it
    return np.hstack([MEANING_WEIGHT * meaning, WORDS_WEIGHT * _word_vectors(subjects), AREA_WEIGHT * by_area])


def _word_vectors(subjects: Sequence[Subject]) -> np.ndarray:
    words = TfidfVectorizer(tokenizer=content_words, token_pattern=None, lowercase=False, sublinear_tf=True)
    try:
        by_words = words.fit_transform([subject.words for subject in subjects])
    except ValueError:  # nothing has a content word
        return np.zeros((len(subjects), 0))
    if by_words.shape[1] <= N_WORD_DIMENSIONS:
        return np.asarray(by_words.toarray())
    n_kept = min(N_WORD_DIMENSIONS, min(by_words.shape) - 1)
    return _unit(TruncatedSVD(n_kept, random_state=0).fit_transform(by_words)) if n_kept else by_words.toarray()


def _covisit_vectors(n_subjects: int, seen: Sequence[Sequence[int]]) -> np.ndarray:
    """Unit vectors (S, <= 16) of positive pointwise mutual information, damped where counts are small."""
    together = np.zeros((n_subjects, n_subjects))
    for shown in seen:
        if len(shown) > 1:
            together[np.ix_(shown, shown)] += 1.0 / (len(shown) - 1)  # a long visit says less of each pair
    np.fill_diagonal(together, 0.0)
    if not together.any():
        return np.zeros((n_subjects, 0))
    expected = np.outer(together.sum(axis=1), together.sum(axis=0)) / together.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.where(together > 0, np.log(together / expected), 0.0)
    information = np.maximum(information, 0.0) * together / (together + 0.5)
    left, strengths, _ = np.linalg.svd(information)
    kept = min(N_COVISIT_DIMENSIONS, n_subjects)
    return _unit(left[:, :kept] * np.sqrt(strengths[:kept]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9))
