"""Groups of pages that are about the same thing, by what they are called, where they lie and who visits both.

No embedding is read here: the teacher must not learn from what it is to teach.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.feature_extraction.text import TfidfVectorizer

from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.words import area, content_words, page_key

MIN_VISITS = 3  # sessions that must show a page before it shapes a topic: a hostile title seen once shapes none
N_COVISIT_DIMENSIONS = 16
AREA_WEIGHT = 0.3  # beside 1 for the words
COVISIT_WEIGHT = 1.0


@dataclass(frozen=True)
class Page:
    """A page as sessions show it."""

    key: str
    path: str
    area: str
    words: str  # of title and path
    n_sessions: int
    app_share: float


Visit = dict[str, Row]
"""The rows of a session by page key."""

Topic = list[Page]
"""Pages of one topic, the most visited first."""


def topics(sessions: Sequence[RenderedSession], max_topics: int) -> list[Topic]:
    """Returns at most ``max_topics`` groups of the pages that at least MIN_VISITS sessions show, the largest first."""
    visits: list[Visit] = [
        {key: row for row in session.rows() if (key := page_key(row)) is not None} for session in sessions
    ]
    n_sessions = Counter(key for visit in visits for key in visit)
    in_app = Counter(
        key for visit, session in zip(visits, sessions, strict=True) if session.channel == "app" for key in visit
    )
    rows = _commonest_rows(visits)
    pages = [
        Page(
            key,
            str(rows[key].get("page", "")),
            area(rows[key]),
            f"{rows[key].get('title', '')} {rows[key].get('page', '')}",
            count,
            in_app[key] / count,
        )
        for key, count in sorted(n_sessions.items())
        if count >= MIN_VISITS
    ]
    if len(pages) <= 1:
        return [pages] if pages else []
    vectors = _page_vectors(pages, visits)
    groups = AgglomerativeClustering(min(max_topics, len(pages)), linkage="ward").fit_predict(vectors)
    found = [[page for page, of in zip(pages, groups, strict=True) if of == group] for group in range(max(groups) + 1)]
    ranked = [sorted(topic, key=lambda page: (-page.n_sessions, page.key)) for topic in found]
    return sorted(ranked, key=lambda topic: (-sum(page.n_sessions for page in topic), topic[0].key))


def _commonest_rows(visits: Sequence[Visit]) -> Visit:
    """A row of each page key, with its commonest path where pages share a title."""
    paths = Counter((key, str(row.get("page", ""))) for visit in visits for key, row in visit.items())
    chosen: Visit = {}
    for visit in visits:
        for key, row in visit.items():
            if key not in chosen or _rank(paths, key, row) < _rank(paths, key, chosen[key]):
                chosen[key] = row
    return chosen


def _rank(paths: Counter[tuple[str, str]], key: str, row: Row) -> tuple[int, str]:
    path = str(row.get("page", ""))
    return -paths[key, path], path


def _page_vectors(pages: Sequence[Page], visits: Sequence[Visit]) -> np.ndarray:
    """Unit vectors (P, V + A + C): words, area, co-visits."""
    words = TfidfVectorizer(tokenizer=content_words, token_pattern=None, lowercase=False, sublinear_tf=True)
    try:
        by_words = words.fit_transform([page.words for page in pages]).toarray()
    except ValueError:  # no page has a content word
        by_words = np.zeros((len(pages), 0))
    areas = sorted({page.area for page in pages if page.area})
    by_area = np.array([[float(page.area == name) for name in areas] for page in pages]).reshape(len(pages), -1)
    by_area *= by_area.sum(axis=0) > 1  # a page alone in its area is near nobody for it
    return _unit(np.hstack([by_words, AREA_WEIGHT * by_area, COVISIT_WEIGHT * _covisit_vectors(pages, visits)]))


def _covisit_vectors(pages: Sequence[Page], visits: Sequence[Visit]) -> np.ndarray:
    """Unit vectors (P, <= 16) of positive pointwise mutual information, damped where counts are small."""
    row_of = {page.key: row for row, page in enumerate(pages)}
    together = np.zeros((len(pages), len(pages)))
    for visit in visits:
        seen = [row_of[key] for key in visit if key in row_of]
        if len(seen) > 1:
            together[np.ix_(seen, seen)] += 1.0 / (len(seen) - 1)  # a long visit says less of each pair
    np.fill_diagonal(together, 0.0)
    total = max(float(together.sum()), 1.0)
    expected = np.outer(together.sum(axis=1), together.sum(axis=0)) / total
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.where(together > 0, np.log(together / expected), 0.0)
    information = np.maximum(information, 0.0) * together / (together + 0.5)
    left, strengths, _ = np.linalg.svd(information)
    kept = min(N_COVISIT_DIMENSIONS, len(pages))
    return _unit(left[:, :kept] * np.sqrt(strengths[:kept]))


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9))
