"""The teacher without an LLM: it reads rendered sessions alone and names what it finds after the pages' own titles.

Topics of pages become intents; a session is labelled by the words that it shows. A second, independent annotator reads
the same sessions by sentence meaning instead of words: how well the two agree bounds what a student can learn. Not
covered: needs that the site's pages do not tell apart, and languages other than English.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pipelines.errors import TeacherError
from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy import naming
from pipelines.taxonomy.document import Document, Labels, document
from pipelines.taxonomy.evidence import KeywordEvidence, session_labels
from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.topics import MIN_VISITS, Topic, topics
from pipelines.taxonomy.words import page_key, site_names, spoken

MODEL = "offline"
SAME_MEANING = 0.75  # cosine of sentence vectors from which evidence is full
NO_MEANING = 0.35  # cosine at which it is none: unrelated page titles lie below
SAME_RANK = 0.03  # intents this close to the nearest are as near as it
MIN_SEARCHES = 2  # sessions
MAX_SEARCH_WORDS = 6


class OfflineTeacher:
    """Makes taxonomies and labels from words."""

    model = MODEL
    second_model = f"{MODEL}, by sentence meaning"

    def __init__(self, params: TaxonomyParams) -> None:
        self.params = params

    def propose(self, sessions: Sequence[RenderedSession]) -> Document:
        """Returns the taxonomy of what ``sessions`` show; an intent that leads in few of them is dropped.

        Raises:
            TeacherError: the sessions show no page often enough to make a topic of it.
        """
        found = topics(sessions, self.params.max_intents)
        if not found:
            raise TeacherError(
                f"no page is shown by {MIN_VISITS} of the {len(sessions)} sessions read, so no taxonomy can be made: "
                "raise taxonomy.n_read, or check that ingest maps `url` or `title`"
            )
        sites = site_names(page.key for topic in found for page in topic)
        categories = naming.categories(found, searches(sessions, found), sites)
        draft = document(categories, MODEL)
        return draft.supported([list(labels or ()) for labels in self.label(sessions, draft)], self.params.min_sessions)

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of each session by its words."""
        evidence = KeywordEvidence(taxonomy)
        return [evidence.labels(session) for session in sessions]

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of each session by the meaning of its titles and searches.

        A row is evidence of the intents whose sentence (name and description) is nearest to its own, within SAME_RANK
        of the nearest; the evidence grows from NO_MEANING to SAME_MEANING.
        """
        from pipelines.encoder.text import BUNDLED_MODEL, text_vectors

        tables = [session.rows() for session in sessions]
        said = sorted({text for rows in tables for row in rows if (text := _said(row)) is not None})
        sentences = [f"{intent.name}. {intent.description}" for intent in taxonomy.intents]
        vectors = text_vectors(said + sentences, BUNDLED_MODEL)
        similarity = vectors[: len(said)] @ vectors[len(said) :].T  # (S, C)
        evidence = {text: _near(row, taxonomy.intent_ids) for text, row in zip(said, similarity, strict=True)}
        return [session_labels(rows, [evidence.get(_said(row) or "", {}) for row in rows]) for rows in tables]

    def used(self) -> str:
        """Returns nothing: this teacher is free."""
        return ""

    def finish(self) -> None:
        """Has nothing to end."""


def searches(sessions: Sequence[RenderedSession], found: Sequence[Topic]) -> list[Counter[str]]:
    """Returns for each topic how many of the sessions mostly about it searched for what.

    Rare and long searches are left out: one that few type, or that reads like prose, names no need and may be hostile.
    """
    topic_of = {page.key: number for number, topic in enumerate(found) for page in topic}
    counts: list[Counter[str]] = [Counter() for _ in found]
    for session in sessions:
        rows = session.rows()
        about = Counter(topic_of[key] for row in rows if (key := page_key(row)) in topic_of)
        if about:
            number = min(about, key=lambda topic: (-about[topic], topic))
            counts[number].update({str(row["search"]).casefold() for row in rows if "search" in row})
    return [
        Counter(
            {
                query: count
                for query, count in counted.items()
                if count >= MIN_SEARCHES and len(query.split()) <= MAX_SEARCH_WORDS
            }
        )
        for counted in counts
    ]


def _said(row: Row) -> str | None:
    """What a row says by itself: the search, else the page's title; None for a front door."""
    if "search" in row:
        return str(row["search"])
    key = page_key(row)
    return None if key is None else spoken(key, set())


def _near(similarity: np.ndarray, intent_ids: Sequence[str]) -> Labels:
    strengths = np.clip((similarity - NO_MEANING) / (SAME_MEANING - NO_MEANING), 0.0, 1.0)
    near = np.flatnonzero((similarity >= similarity.max() - SAME_RANK) & (strengths > 0))
    return {intent_ids[index]: round(float(strengths[index]), 3) for index in near.tolist()}
