"""Training, calibration and thresholds of the student."""

import numpy as np
import pytest
import torch

from pipelines.distill import calibration, thresholds
from pipelines.distill.examples import Examples
from pipelines.distill.training import Trained, fit
from pipelines.params import Distill

PARAMS = Distill(hidden_dim=32, max_epochs=300, learning_rate=0.02, weight_decay=0.0, batch_size=64, abstain_below=0.3)


def batch(n_sessions: int = 40, seed: int = 0) -> Examples:
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(5.0, 2.0, (n_sessions, 16)).astype(np.float32)
    return Examples(embeddings, (generator.random((n_sessions, 4)) < 0.3).astype(np.float32))


def valid_probabilities(trained: Trained) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-trained.valid_logits)))


def test_overfits_one_batch() -> None:
    examples = batch()
    trained = fit(examples, examples, PARAMS, seed=7)
    assert trained.valid_loss < 0.01
    assert ((valid_probabilities(trained) >= 0.5) == (examples.scores >= 0.5)).all()


def test_soft_targets_are_met_not_rounded() -> None:
    embeddings = np.zeros((2, 3), np.float32)
    embeddings[1] = 1
    examples = Examples(embeddings, np.array([[0.2], [0.7]], np.float32))
    found = valid_probabilities(fit(examples, examples, PARAMS, seed=7))
    np.testing.assert_allclose(found.ravel(), [0.2, 0.7], atol=0.01)


def test_keeps_the_epoch_with_the_least_validation_loss() -> None:
    train, valid = batch(seed=0), batch(seed=1)  # noise: whatever is learnt beyond the base rates is wrong on valid
    trained = fit(train, valid, PARAMS, seed=7)
    assert trained.best_epoch < PARAMS.max_epochs / 2
    last = fit(train, train, PARAMS, seed=7)  # the same steps, judged on train: the last epochs win
    assert last.best_epoch > trained.best_epoch


def test_same_seed_same_weights_and_torch_is_left_as_it_was() -> None:
    before = torch.random.get_rng_state(), torch.get_num_threads()
    first, second = (fit(batch(), batch(seed=1), PARAMS, seed=7) for _ in range(2))
    other = fit(batch(), batch(seed=1), PARAMS, seed=8)
    assert first.layers.hidden_weight.tobytes() == second.layers.hidden_weight.tobytes()
    assert first.layers.hidden_weight.tobytes() != other.layers.hidden_weight.tobytes()
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == torch.get_num_threads()


def calibration_error(logits: np.ndarray, targets: np.ndarray) -> float:
    probabilities = 1 / (1 + np.exp(-logits))
    places = np.minimum((probabilities * 10).astype(int), 9)
    gaps = [abs((probabilities - targets)[places == place].sum()) for place in range(10)]
    return float(sum(gaps) / len(targets))


def test_calibration_mends_an_overconfident_label() -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(-1, 2, (3000, 1))
    targets = (generator.random((3000, 1)) < 1 / (1 + np.exp(-logits))).astype(float)
    overconfident = 3 * logits + 1
    slopes, intercepts = calibration.fit(overconfident, targets)
    assert slopes[0] == pytest.approx(1 / 3, abs=0.04)
    assert intercepts[0] == pytest.approx(-1 / 3, abs=0.15)
    before, after = (calibration_error(x, targets) for x in (overconfident, overconfident * slopes + intercepts))
    assert after < before / 3


def test_calibration_leaves_a_label_without_positives_near_as_trained() -> None:
    logits = np.full((50, 1), -6.0)
    slopes, intercepts = calibration.fit(logits, np.zeros((50, 1)))
    assert slopes[0] == pytest.approx(1, abs=0.5)
    assert intercepts[0] == pytest.approx(0, abs=0.5)


def test_one_positive_cannot_drag_a_label_far() -> None:
    logits, targets = np.linspace(-4, 0, 20)[:, None], np.zeros((20, 1))
    targets[0] = 1  # the least likely one
    slopes, _ = calibration.fit(logits, targets)
    assert 0.05 <= slopes[0] < 1


def test_calibration_never_turns_the_order_round() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (500, 1))
    slopes, _ = calibration.fit(logits, (logits < 0).astype(float))
    assert slopes[0] == calibration.MIN_SLOPE


def test_calibration_matches_a_grid_search() -> None:
    generator = np.random.default_rng(4)
    logits, targets = generator.normal(0, 1, (60, 1)), generator.random((60, 1))
    slopes, intercepts = calibration.fit(logits, targets)
    best = (np.inf, 0.0, 0.0)
    for slope in np.arange(0.05, 1.5, 0.01):
        for intercept in np.arange(-0.6, 0.6, 0.01):
            scaled = slope * logits + intercept
            loss = np.sum(np.logaddexp(0, scaled) - targets * scaled) + ((slope - 1) ** 2 + intercept**2) / 2
            best = min(best, (float(loss), slope, intercept))
    assert slopes[0] == pytest.approx(best[1], abs=0.02)
    assert intercepts[0] == pytest.approx(best[2], abs=0.02)


def test_a_label_with_few_positives_shares_the_common_threshold() -> None:
    probabilities, named = np.zeros((30, 2)), np.zeros((30, 2), bool)
    probabilities[:12, 0], named[:12, 0] = 0.8, True  # twelve: a threshold of its own, between .8 and 0
    probabilities[:2, 1], named[0, 1] = 0.3, True  # one: shares
    found = thresholds.fit(probabilities, named)
    # together: cut at .8 gives 24 / 25, cut at .3 gives 26 / 27
    assert found.tolist() == [pytest.approx(0.4), pytest.approx(0.15)]
    named[1, 1] = False
    named[0, 1] = False
    # without the positive at .3 the common cut is at .8, halfway to .3
    assert thresholds.fit(probabilities, named).tolist() == [pytest.approx(0.4), pytest.approx(0.55)]


def test_without_any_positive_the_threshold_is_one_half() -> None:
    assert thresholds.fit(np.full((3, 2), 0.1), np.zeros((3, 2), bool)).tolist() == [0.5, 0.5]
