"""Every metric on a table small enough to compute by hand."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from sklearn.metrics import (
    adjusted_rand_score,
    average_precision_score,
    f1_score,
    normalized_mutual_info_score,
    v_measure_score,
)

from pipelines.evaluate.average_precision import average_precision_values
from pipelines.evaluate.bootstrap import Resamples, centred
from pipelines.evaluate.clusterings import adjusted_rand, joint_counts, normalized_information, v_measure
from pipelines.evaluate.encoder_probes import _ridge, effective_ranks
from pipelines.evaluate.f1 import f1_by_label, f1_values
from pipelines.evaluate.reliability import (
    brier_score,
    calibration_error,
    coverage_accuracy,
    reliability,
    top_calibration_error,
)
from pipelines.evaluate.signals import calendar
from pipelines.evaluate.student_truth import commonest
from pipelines.evaluate.tile_ranking import hit_shares, metric_values
from pipelines.paths import Workspace


def whole(n_rows: int) -> Resamples:
    """Every row its own visitor; tests read the sample's own value, row 0."""
    return Resamples(np.arange(n_rows), 10, seed=7)


def test_macro_recall_and_log_loss_by_hand() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.4, 0.6, 0.0], [0.4, 0.4, 0.2]])
    clicked = np.array([0, 1, 0, 1, 1])
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities)
    found = metric_values(whole(5), logs, clicked)
    # tile 0: hit, miss: 1/2; tile 1: miss, hit, tied with one other: 1.5/3; tile 2 was never clicked
    assert found["macro_recall_at_1"][0] == pytest.approx(0.5)
    assert found["log_loss"][0] == pytest.approx(-np.log([0.5, 0.3, 0.1, 0.6, 0.4]).mean())


def test_a_tie_counts_by_its_share() -> None:
    assert hit_shares(np.zeros((2, 4)), np.array([0, 3])).tolist() == [0.25, 0.25]


def test_a_tile_that_a_resample_misses_leaves_its_mean() -> None:
    logs = np.log(np.array([[0.9, 0.1], [0.9, 0.1]]))
    found = metric_values(Resamples(np.arange(2), 50, seed=7), logs, np.array([0, 1]))
    assert set(found["macro_recall_at_1"].tolist()) == {0.5, 1.0, 0.0}


def test_micro_and_macro_f1_by_hand_and_by_sklearn() -> None:
    predicted = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], bool)
    actual = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]], bool)
    found = f1_values(whole(3), predicted, actual)
    # label 0: TP 1 of 2 + 2; label 1: TP 1 of 2 + 1; label 2: nothing said, nothing true: left out
    assert found["micro_f1"][0] == pytest.approx(2 * 2 / 7)
    assert found["macro_f1"][0] == pytest.approx((2 / 4 + 2 / 3) / 2)
    generator = np.random.default_rng(1)
    predicted, actual = generator.random((200, 5)) < 0.3, generator.random((200, 5)) < 0.3
    found = f1_values(whole(200), predicted, actual)
    assert found["micro_f1"][0] == pytest.approx(f1_score(actual, predicted, average="micro"))
    assert found["macro_f1"][0] == pytest.approx(f1_score(actual, predicted, average="macro"))


def test_f1_of_resamples_by_a_slow_loop() -> None:
    generator = np.random.default_rng(2)
    predicted, actual = generator.random((30, 2)) < 0.5, generator.random((30, 2)) < 0.5
    visitors = generator.integers(8, size=30)
    resamples = Resamples(visitors, 20, seed=7)
    found = f1_values(resamples, predicted, actual)
    weights = np.concatenate(list(resamples.weights()))
    for number, weight in enumerate(weights, start=1):
        rows = [row for row in range(30) for _ in range(int(weight[resamples.cluster_of_row[row]]))]
        expected = f1_score(actual[rows], predicted[rows], average="micro")
        assert found["micro_f1"][number] == pytest.approx(expected)


def test_f1_of_each_label_by_hand() -> None:
    predicted = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]], bool)
    actual = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
    found = f1_by_label(whole(3), predicted, actual)
    assert found["f1"][0].tolist() == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)
    assert found["precision"][0].tolist() == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)
    assert found["recall"][0].tolist() == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)


def test_average_precision_by_hand() -> None:
    probabilities = np.array([[0.9, 0.2], [0.6, 0.6]])
    actual = np.array([[False, True], [True, False]])
    # from the top: a miss; the two of .6 together, one of them true: 1 of 3; the last is true: 2 of 4
    found = average_precision_values(whole(2), probabilities, actual)
    assert found[0] == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert average_precision_values(whole(2), actual.astype(float), actual)[0] == 1
    assert np.isnan(average_precision_values(whole(2), probabilities, np.zeros((2, 2), bool))).all()


@pytest.mark.parametrize("decimals", [1, 9])  # with many equal probabilities, and with none
def test_average_precision_of_resamples_is_that_of_sklearn(decimals: int) -> None:
    generator = np.random.default_rng(4)
    probabilities = generator.random((40, 3)).round(decimals)
    actual = generator.random((40, 3)) < probabilities / 2
    resamples = Resamples(generator.integers(9, size=40), 20, seed=7)
    found = average_precision_values(resamples, probabilities, actual)
    drawn = np.concatenate([np.ones((1, 9)), *resamples.weights()])
    for value, weights in zip(found, drawn, strict=True):
        of_cells = np.repeat(weights[resamples.cluster_of_row], 3)
        expected = average_precision_score(actual.ravel(), probabilities.ravel(), sample_weight=of_cells)
        assert value == pytest.approx(expected)


def test_the_calendar_knows_the_hour_and_the_weekday() -> None:
    hour_us = 3_600_000_000
    found = calendar(np.array([0, (2 * 24 + 6) * hour_us]), n_harmonics=2)  # midnight of a Thursday, a Saturday at six
    np.testing.assert_allclose(found[:, :4], [[0, 1, 0, 1], [1, 0, 0, -1]], atol=1e-12)
    assert found[:, 4:].tolist() == [[0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1, 0]]


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.0], [0.95, 0.0], [0.1, 0.0]], np.float32)
    scores = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.3]], np.float32)
    # bins of 1/15: {.9} gap -.1; {.95} gap .95; {.1} gap .1; the three zeros together -.3; over 6 pairs
    assert calibration_error(whole(3), probabilities, scores)[0] == pytest.approx((0.1 + 0.95 + 0.1 + 0.3) / 6)
    assert top_calibration_error(whole(3), probabilities, scores)[0] == pytest.approx((0.1 + 0.95 + 0.1) / 3)


def test_brier_score_by_hand() -> None:
    probabilities, scores = np.array([[0.9, 0.2], [0.5, 0.5]], np.float32), np.array([[1, 0], [0, 0.5]], np.float32)
    assert brier_score(whole(2), probabilities, scores)[0] == pytest.approx((0.01 + 0.04 + 0.25) / 2)


def test_the_coverage_accuracy_curve_by_hand() -> None:
    probabilities = np.linspace(0.99, 0.6, 40)[:, None]
    named = np.ones((40, 1), bool)
    named[[5, 20, 30, 39]] = False
    curve = coverage_accuracy(whole(40), probabilities, named)
    assert [row["coverage"] for row in curve] == pytest.approx([place / 20 for place in range(1, 21)])
    assert curve[1]["accuracy"] == 1  # the four surest are right
    assert curve[4]["accuracy"] == pytest.approx(9 / 10)
    assert curve[19]["accuracy"] == pytest.approx(36 / 40)
    assert curve[4]["abstain_below"] == pytest.approx(probabilities[9, 0], abs=1e-6)
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in curve)


def test_what_an_intent_stands_for_is_what_it_met_most_often() -> None:
    labels, needs = np.array([0, 0, 0, 2, 2]), np.array(["a", "b", "b", "c", "a"], object)
    assert commonest(labels, needs, 3).tolist() == ["b", "", "a"]  # of equals the first by name


def test_a_probability_of_one_falls_in_the_last_bin() -> None:
    rows = reliability(np.array([[1.0, 0.95]], np.float32), np.array([[1.0, 0.0]], np.float32))
    assert rows == [{"probability": 0.975, "teacher": 0.5, "n": 2}]


def test_groupings_by_sklearn_and_at_their_ends() -> None:
    generator = np.random.default_rng(3)
    classes, clusters = generator.integers(4, size=300), generator.integers(3, size=300)
    clusters[:150] = classes[:150] % 3
    found = joint_counts(whole(300), classes, clusters)
    assert v_measure(found)[0] == pytest.approx(v_measure_score(classes, clusters))
    assert adjusted_rand(found)[0] == pytest.approx(adjusted_rand_score(classes, clusters))
    by_sklearn = normalized_mutual_info_score(classes, clusters, average_method="geometric")
    assert normalized_information(found)[0] == pytest.approx(by_sklearn)
    same = joint_counts(whole(300), classes, classes * 7)
    assert [measure(same)[0] for measure in (v_measure, adjusted_rand, normalized_information)] == pytest.approx(
        [1] * 3
    )
    one = joint_counts(whole(4), np.array(["a", "a", "b", "b"]), np.zeros(4))
    assert [measure(one)[0] for measure in (v_measure, adjusted_rand)] == pytest.approx([0, 0])


def test_resamples_of_groupings_that_chance_made_lie_about_their_value_once_centred() -> None:
    generator = np.random.default_rng(0)
    resamples = Resamples(np.arange(400), 200, 7)
    values = v_measure(joint_counts(resamples, generator.integers(9, size=400), generator.integers(9, size=400)))
    assert values[1:].min() > values[0]  # repeated rows look like agreement
    centre = centred(values)
    assert centre[0] == values[0]
    assert centre[1:].mean() == pytest.approx(values[0])


def test_effective_rank_of_a_line_and_of_a_sphere() -> None:
    line = np.outer(np.linspace(-1, 1, 50), np.ones(6)).astype(np.float32)
    assert effective_ranks(whole(50), line)[0] == pytest.approx(1)
    corners = np.vstack([np.eye(6), -np.eye(6)]).astype(np.float32)
    assert effective_ranks(whole(12), corners)[0] == pytest.approx(6)


def test_the_probe_reads_back_what_an_embedding_of_pages_holds(evaluated: Workspace) -> None:
    encoder = json.loads(evaluated.metrics.read_text())["encoder"]
    # the world's embedding is the need with some noise, and the need is the last page
    assert encoder["last_page_recall_at_1"] == {"value": 1.0, "ci95": [1.0, 1.0]}
    assert 0.8 < encoder["seen_pages_r2"]["value"] < 1
    assert 1 < encoder["effective_rank"]["value"] < 8


def test_the_probe_is_the_ridge_regression_of_sklearn() -> None:
    generator = np.random.default_rng(0)
    features, targets = generator.normal(size=(80, 5)), generator.poisson(0.5, (80, 3)).astype(float)
    features -= features.mean(axis=0)
    judged = generator.normal(size=(7, 5))
    expected = Ridge(alpha=1.0).fit(features, targets).predict(judged)
    np.testing.assert_allclose(_ridge(features, csr_array(targets), judged), expected)
