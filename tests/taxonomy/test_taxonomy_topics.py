"""How many topics there are, and what an intent's texts mean."""

import numpy as np
import pytest

from pipelines.taxonomy import meaning, n_topics
from pipelines.taxonomy.document import Category, Intent, document
from pipelines.taxonomy.rendering import RenderedSession

N_NEEDS, N_PAGES = 5, 6


def walks(n_sessions: int) -> list[list[int]]:
    """Each session shows four pages of one of five needs."""
    generator = np.random.default_rng(0)
    needs = generator.integers(N_NEEDS, size=n_sessions)
    return [(need * N_PAGES + generator.permutation(N_PAGES)[:4]).tolist() for need in needs]


def seen_together(seen: n_topics.Seen) -> np.ndarray:
    counts = np.zeros((N_NEEDS * N_PAGES,) * 2)
    for shown in seen:
        counts[np.ix_(shown, shown)] += 1
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)


def test_as_many_topics_as_come_out_alike_from_other_sessions() -> None:
    assert n_topics.best_cut(seen_together, walks(400), max_topics=20) == N_NEEDS
    assert n_topics.best_cut(seen_together, walks(400)[::-1], max_topics=20) == N_NEEDS


def test_one_thing_a_session_leaves_compactness_to_decide() -> None:
    alone = [[page] for page in range(N_NEEDS * N_PAGES)]
    centres = np.repeat(np.eye(N_NEEDS), N_PAGES, axis=0)
    points = centres + np.random.default_rng(1).normal(scale=0.05, size=centres.shape)
    assert n_topics.best_cut(lambda _: points, alone, max_topics=20) == N_NEEDS


def test_fewer_subjects_than_topics_are_a_topic_each() -> None:
    assert n_topics.best_cut(lambda _: np.eye(2), [[0, 1]], max_topics=20) == 2


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> meaning.MeaningEvidence:
    """Sentence vectors by hand: what is said of cards lies east, of loans north, of the weather behind both."""
    places = {"card": (1.0, 0.0), "loan": (0.0, 1.0), "weather": (-1.0, -1.0)}

    def vectors(texts: list[str]) -> np.ndarray:
        found = np.array([np.sum([place for word, place in places.items() if word in text], axis=0) for text in texts])
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))

    monkeypatch.setattr(meaning, "vectors", vectors)
    intents = [Intent(id=name, name=name, description=name, examples=[], keywords=[]) for name in ("card", "loan")]
    taxonomy = document([Category(id="c", name="c", description="c", intents=intents)], "made-up")
    session = RenderedSession("s", "web", '[{"step":1,"page":"/search","search":"my card"},{"step":2,"page":"/"}]')
    return meaning.MeaningEvidence(taxonomy, [session])


def test_a_text_is_evidence_of_the_intent_that_means_the_same(evidence: meaning.MeaningEvidence) -> None:
    assert evidence.of_texts(["lost card", "weather"]) == {"lost card": {"card": 1.0}, "weather": {}}
    assert evidence.of_texts([]) == {}


def test_between_two_intents_both_are_near(evidence: meaning.MeaningEvidence) -> None:
    [found] = evidence.of_texts(["card or loan"]).values()
    assert found.keys() == {"card", "loan"}
    assert all(strength < 1 for strength in found.values())


def test_a_front_door_says_nothing_and_a_search_speaks_for_its_row(evidence: meaning.MeaningEvidence) -> None:
    assert evidence.said({"page": "/"}) is None
    assert evidence.said({"page": "/search", "search": "My Card"}) == "my card"
    assert evidence.said({"page": "/cards", "title": "Cards | Alder Bank"}) is not None
