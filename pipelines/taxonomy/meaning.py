"""Evidence by what a text means: how near its sentence vector lies to those of an intent's texts.

An intent begins as the taxonomy words it, and moves to the texts of the sessions read that lie nearest to it: spherical
K-means from given seeds (Basu et al. 2002, "Semi-supervised clustering by seeding"). So a taxonomy that may quote
nothing still finds the searches that it was made from.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from pipelines.encoder.text import BUNDLED_MODEL, text_vectors
from pipelines.taxonomy.document import Document, Intent, Labels
from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.words import content, page_key, search_key, spoken

SAME_MEANING = 0.75  # cosine of sentence vectors from which evidence is full
NO_MEANING = 0.35  # cosine at which it is none: unrelated page titles lie below
SAME_RANK = 0.03  # intents this close to the nearest are as near as it
N_ROUNDS = 5
SEED_WEIGHT = 0.5  # of the taxonomy's own words, beside the texts that lie near: an intent never leaves its name


class MeaningEvidence:
    """Evidence of the intents of ``taxonomy``, by the texts of the sessions ``read``."""

    def __init__(self, taxonomy: Document, read: Sequence[RenderedSession]) -> None:
        self.ids = taxonomy.intent_ids
        seeds = _unit(vectors([_sentence(intent) for intent in taxonomy.intents]))
        distinct = {content(row): row for session in read for row in session.rows()}
        texts = sorted({text for row in distinct.values() if (text := self.said(row)) is not None})
        self.centres = _settled(seeds, vectors(texts)) if texts else seeds

    @staticmethod
    def said(row: Row) -> str | None:
        """Returns what a row says by itself: the search, else the page's title; None for a front door."""
        if "search" in row:
            return search_key(row)
        key = page_key(row)
        return None if key is None else spoken(key, set())

    def of_texts(self, texts: Sequence[str]) -> dict[str, Labels]:
        """Returns the evidence of each text, by text: the intents nearest to it, within SAME_RANK of the nearest."""
        if not texts:
            return {}
        similarity = vectors(texts) @ self.centres.T  # (S, C)
        return {text: self._near(row) for text, row in zip(texts, similarity, strict=True)}

    def _near(self, similarity: np.ndarray) -> Labels:
        strengths = np.clip((similarity - NO_MEANING) / (SAME_MEANING - NO_MEANING), 0.0, 1.0)
        near = np.flatnonzero((similarity >= similarity.max() - SAME_RANK) & (strengths > 0))
        return {self.ids[index]: round(float(strengths[index]), 3) for index in near.tolist()}


def _sentence(intent: Intent) -> str:
    return ". ".join([intent.name, intent.description, " ".join(intent.keywords), *intent.include, *intent.examples])


def _settled(seeds: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """The centres of the texts nearest to each seed, after some rounds."""
    centres = seeds
    for _ in range(N_ROUNDS):
        similarity = texts @ centres.T
        nearest, near = similarity.argmax(axis=1), similarity.max(axis=1) >= NO_MEANING
        members = np.eye(len(seeds))[nearest[near]].T @ texts[near]  # (C, D)
        centres = _unit(SEED_WEIGHT * seeds + _unit(members))
    return centres


@cache
def _vector_of() -> dict[str, np.ndarray]:
    """Sentence vectors of this process, by text: one text is encoded once."""
    return {}


def vectors(texts: Sequence[str]) -> np.ndarray:
    """Returns unit sentence vectors (S, D); a text is encoded once a process."""
    if not texts:
        return np.zeros((0, 0))
    known = _vector_of()
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    known.update(zip(missing, text_vectors(missing, BUNDLED_MODEL), strict=True) if missing else ())
    return np.stack([known[text] for text in texts]).astype(np.float64)


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 1e-9))
