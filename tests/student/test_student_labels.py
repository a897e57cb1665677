"""Labels and thresholds as arrays."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import schemas
from pipelines.errors import TableError
from pipelines.student.labels import embedding_matrix, id_matrix, score_matrix
from pipelines.student.thresholds import best_threshold, cheapest_threshold


def label_table(rows: list[tuple[list[str], list[float]]]) -> pa.Table:
    columns = {
        "session_id": [f"s{place}" for place in range(len(rows))],
        "intents": [intents for intents, _ in rows],
        "scores": [scores for _, scores in rows],
        "taxonomy_version": ["taxonomy-1"] * len(rows),
        "model": ["offline"] * len(rows),
    }
    return pa.table(columns, schema=schemas.LABELS)


def test_scores_land_in_the_column_of_their_intent() -> None:
    labels = label_table([(["b"], [0.5]), ([], []), (["a", "b"], [1.0, 0.25])])
    assert score_matrix(labels, ["a", "b", "c"]).tolist() == [[0, 0.5, 0], [0, 0, 0], [1, 0.25, 0]]


def test_refuses_an_intent_that_the_taxonomy_lacks() -> None:
    with pytest.raises(TableError, match=r"names an intent that taxonomy.yaml lacks"):
        score_matrix(label_table([(["x"], [0.5])]), ["a"])


def test_refuses_a_row_with_fewer_scores_than_intents() -> None:
    with pytest.raises(TableError, match="differ in number"):
        score_matrix(label_table([(["a", "b"], [0.5])]), ["a", "b"])


def test_ids_as_a_matrix() -> None:
    lists = pa.chunked_array([[["b"], []], [["a", "b"]]], pa.list_(pa.string()))
    assert id_matrix(lists, ["a", "b"]).tolist() == [[False, True], [False, False], [True, True]]


def test_refuses_vectors_of_two_lengths() -> None:
    columns = {"session_id": ["a", "b"], "embedding": [[1.0], [1.0, 2.0]], "encoder_version": ["e", "e"]}
    with pytest.raises(TableError, match="more than one length"):
        embedding_matrix(pa.table(columns, schema=schemas.EMBEDDINGS))


def test_vectors_as_a_matrix() -> None:
    columns = {"session_id": ["a", "b"], "embedding": [[1.0, 2.0], [3.0, 4.0]], "encoder_version": ["e", "e"]}
    assert embedding_matrix(pa.table(columns, schema=schemas.EMBEDDINGS)).tolist() == [[1, 2], [3, 4]]


def test_the_best_threshold_of_a_hand_computed_case() -> None:
    # cuts: {.9} F1 2/3; {.9,.7} 2/4; {.9,.7,.6} 4/5; all 4/6
    threshold, f1 = best_threshold(np.array([0.9, 0.7, 0.6, 0.2]), np.array([True, False, True, False]))
    assert threshold == pytest.approx(0.4)
    assert f1 == pytest.approx(0.8)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=12).filter(
        lambda pairs: any(actual for _, actual in pairs)
    )
)
def test_no_other_threshold_is_better(pairs: list[tuple[float, bool]]) -> None:
    probabilities, actual = np.array([p for p, _ in pairs]), np.array([a for _, a in pairs])

    def f1(threshold: float) -> float:
        predicted = probabilities >= threshold
        return float(2 * (predicted & actual).sum() / (predicted.sum() + actual.sum()))

    threshold, found = best_threshold(probabilities, actual)
    assert f1(threshold) == pytest.approx(found)
    assert found == pytest.approx(max(f1(cut) for cut in [0.0, *probabilities]))


def test_the_cheapest_threshold_of_a_hand_computed_case() -> None:
    scores, actual = np.array([0.9, 0.7, 0.6, 0.2]), np.array([True, False, True, False])
    above, below = 1.0 * ~actual, 1.0 * actual
    # from none above to all: 2, 1, 2, 1, 2 mistakes; of the two cheapest the higher
    assert cheapest_threshold(scores, above, below) == (pytest.approx(0.8), 1.0)
    # a miss costs three: 6, 3, 4, 1, 2
    assert cheapest_threshold(scores, above, 3 * below) == (pytest.approx(0.4), 1.0)
    # a false alarm costs three: 2, 1, 4, 3, 6
    assert cheapest_threshold(scores, 3 * above, below) == (pytest.approx(0.8), 1.0)
    # nothing is worth naming: above the highest, halfway to one
    assert cheapest_threshold(scores, above + 1, 0 * below) == (pytest.approx(0.95), 0.0)
    # everything is: below the least, halfway to zero
    assert cheapest_threshold(scores, 0 * above, below + 1) == (pytest.approx(0.1), 0.0)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.9]), st.integers(0, 3), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_no_other_threshold_is_cheaper(rows: list[tuple[float, int, int]]) -> None:
    scores, above, below = (np.array(column, float) for column in zip(*rows, strict=True))

    def cost(threshold: float) -> float:
        return float(np.where(scores >= threshold, above, below).sum())

    threshold, found = cheapest_threshold(scores, above, below)
    assert cost(threshold) == pytest.approx(found)
    assert found == pytest.approx(min(cost(cut) for cut in [0.0, 1.0, *scores]))
