"""Training, calibration and thresholds of the student."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from students import COSTS, distill_params

from pipelines.distill import calibration, thresholds
from pipelines.distill.examples import Examples
from pipelines.distill.training import Trained, candidates, logistic_regression, perceptron
from pipelines.params import Costs

PARAMS = distill_params(hidden_dim=32, max_epochs=300)


def batch(n_sessions: int = 40, seed: int = 0) -> Examples:
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(5.0, 2.0, (n_sessions, 16)).astype(np.float32)
    return Examples(embeddings, (generator.random((n_sessions, 4)) < 0.3).astype(np.float32))


def valid_probabilities(trained: Trained) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-trained.valid_logits)))


def test_overfits_one_batch() -> None:
    examples = batch()
    trained = perceptron(examples, examples, PARAMS, seed=7)
    assert trained.valid_loss < 0.01
    assert ((valid_probabilities(trained) >= 0.5) == (examples.scores >= 0.5)).all()


def test_soft_targets_are_met_not_rounded_and_mixed_ones_by_their_share() -> None:
    embeddings = np.zeros((2, 3), np.float32)
    embeddings[1] = 1
    examples = Examples(embeddings, np.array([[0.2], [0.7]], np.float32))

    def learnt(hard_share: float) -> np.ndarray:
        params = PARAMS.model_copy(update={"hard_share": hard_share})
        return valid_probabilities(perceptron(examples, examples, params, seed=7)).ravel()

    np.testing.assert_allclose(learnt(0), [0.2, 0.7], atol=0.01)
    np.testing.assert_allclose(learnt(0.5), [0.1, 0.85], atol=0.01)


def test_keeps_the_epoch_with_the_least_validation_loss() -> None:
    train, valid = batch(seed=0), batch(seed=1)  # noise: whatever is learnt beyond the base rates is wrong on valid
    trained = perceptron(train, valid, PARAMS, seed=7)
    assert trained.found["epoch"] < PARAMS.max_epochs / 2
    last = perceptron(train, train, PARAMS, seed=7)  # the same steps, judged on train: the last epochs win
    assert last.found["epoch"] > trained.found["epoch"]


def test_same_seed_same_weights_and_torch_is_left_as_it_was() -> None:
    before = torch.random.get_rng_state(), torch.get_num_threads()
    first, second = (perceptron(batch(), batch(seed=1), PARAMS, seed=7) for _ in range(2))
    other = perceptron(batch(), batch(seed=1), PARAMS, seed=8)
    assert first.layers.hidden[0].weight.tobytes() == second.layers.hidden[0].weight.tobytes()
    assert first.layers.hidden[0].weight.tobytes() != other.layers.hidden[0].weight.tobytes()
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
    curve = calibration.platt(overconfident[:, 0], targets[:, 0])
    assert curve.slope == pytest.approx(1 / 3, abs=0.04)
    assert curve.intercept == pytest.approx(-1 / 3, abs=0.15)
    before, after = (calibration_error(x, targets) for x in (overconfident, curve.of(overconfident)))
    assert after < before / 3


def test_calibration_leaves_a_label_without_positives_near_as_trained() -> None:
    logits = np.full(50, -6.0)
    for method in calibration.METHODS.values():
        found = 1 / (1 + np.exp(-method(logits, np.zeros(50)).of(logits)))
        assert found == pytest.approx(1 / (1 + np.exp(6)), abs=0.0025)


def test_one_positive_cannot_drag_a_label_far() -> None:
    logits, targets = np.linspace(-4, 0, 20), np.zeros(20)
    targets[0] = 1  # the least likely one
    assert 0.05 <= calibration.platt(logits, targets).slope < 1


def test_calibration_never_turns_the_order_round() -> None:
    logits = np.sort(np.random.default_rng(0).normal(0, 2, 500))
    turned = (logits < 0).astype(float)
    assert calibration.platt(logits, turned).slope == calibration.MIN_SLOPE
    for method in calibration.METHODS.values():
        assert (np.diff(method(logits, turned).of(logits)) >= 0).all()


def test_calibration_matches_a_grid_search() -> None:
    generator = np.random.default_rng(4)
    logits, targets = generator.normal(0, 1, 60), generator.random(60)
    curve = calibration.platt(logits, targets)
    best = (np.inf, 0.0, 0.0)
    for slope in np.arange(0.05, 1.5, 0.01):
        for intercept in np.arange(-0.6, 0.6, 0.01):
            scaled = slope * logits + intercept
            loss = np.sum(np.logaddexp(0, scaled) - targets * scaled) + ((slope - 1) ** 2 + intercept**2) / 2
            best = min(best, (float(loss), slope, intercept))
    assert curve.slope == pytest.approx(best[1], abs=0.02)
    assert curve.intercept == pytest.approx(best[2], abs=0.02)


def test_the_order_in_which_sessions_are_summed_moves_no_digit() -> None:
    generator = np.random.default_rng(3)
    logits = generator.normal(-1, 2, 5_000)
    targets = (generator.random(5_000) < 1 / (1 + np.exp(-0.6 * logits))).astype(float)
    lines = {calibration.platt(logits[order], targets[order]) for order in map(generator.permutation, [5_000] * 5)}
    assert len(lines) == 1


def test_a_temperature_is_the_slope_of_the_least_loss() -> None:
    generator = np.random.default_rng(4)
    logits, targets = generator.normal(0, 3, 60), generator.random(60)
    curve = calibration.temperature(logits, targets)
    slopes = np.arange(0.05, 2, 0.001)
    losses = [calibration.log_losses(s * logits, targets).sum() + (s - 1) ** 2 / 2 for s in slopes]
    assert curve.intercept == 0
    assert curve.slope == pytest.approx(slopes[np.argmin(losses)], abs=0.002)


def test_the_isotonic_curve_by_hand() -> None:
    logits = np.repeat([-2.0, 0.0, 2.0], 100)
    targets = np.concatenate([np.full(100, 0.3), np.full(100, 0.1), np.full(100, 0.9)])
    curve = calibration.isotonic(logits, targets)
    # the first two are out of order: together .2, where Platt's mean of the two lies, near the middle of them
    joined, upper = (np.log(p / (1 - p)) for p in (0.2, 0.9))
    assert curve.knots == (pytest.approx(-1, abs=0.2), pytest.approx(2))
    assert curve.of(np.array(curve.knots)) == pytest.approx([joined, upper], abs=0.1)
    assert curve.of(np.array([np.mean(curve.knots)])) == pytest.approx((joined + upper) / 2, abs=0.1)


def test_where_platt_is_right_isotonic_adds_nothing() -> None:
    logits = np.linspace(-8, 4, 2000)
    line = 1 / (1 + np.exp(-(0.7 * logits - 0.5)))
    curve = calibration.isotonic(logits, line)
    assert curve.of(logits) == pytest.approx(0.7 * logits - 0.5, abs=0.1)


def test_folds_choose_the_curve_that_fits() -> None:
    generator = np.random.default_rng(6)
    logits = generator.normal(0, 2, 4000)

    def chosen(true_logits: np.ndarray) -> str:
        happened = generator.random(4000) < 1 / (1 + np.exp(-true_logits))
        return calibration.best(logits, happened.astype(float)).method

    assert chosen(logits) == "as trained"
    assert chosen(logits / 3) == "temperature"
    assert chosen(logits / 3 - 1) == "platt"
    assert chosen(np.where(logits < 0, -3, np.where(logits < 2, 0.0, 4.0))) == "isotonic"


def test_a_label_has_a_threshold_of_its_own_only_where_that_surely_saves() -> None:
    """All labels share .45; a cut at .85 would save the second label 30 errors, or 3: less than two roots of three."""
    for n_wrong, own in ((30, 0.85), (3, 0.45)):
        probabilities, named = np.zeros((1000, 2)), np.zeros((1000, 2), bool)
        probabilities[:600, 0], named[:600, 0] = np.linspace(0.9, 0.5, 600), True
        probabilities[600:, 0] = 0.4
        probabilities[:n_wrong, 1] = 0.8
        probabilities[n_wrong : 2 * n_wrong, 1], named[n_wrong : 2 * n_wrong, 1] = 0.9, True
        found = thresholds.fit(probabilities, named, COSTS)
        assert found.by_label.tolist() == [pytest.approx(0.45), pytest.approx(own)]


def test_dropout_hides_units_in_training_alone() -> None:
    examples = batch()
    dropped = PARAMS.model_copy(update={"dropout": 0.5, "max_epochs": 30})
    first, second = (perceptron(examples, examples, dropped, seed=7) for _ in range(2))
    kept = perceptron(examples, examples, dropped.model_copy(update={"dropout": 0.0}), seed=7)
    assert first.valid_logits.tobytes() == second.valid_logits.tobytes()
    assert kept.valid_loss < first.valid_loss
    inputs = examples.embeddings
    hidden = np.maximum(inputs @ first.layers.hidden[0].weight + first.layers.hidden[0].bias, 0)
    whole = hidden @ first.layers.output.weight + first.layers.output.bias
    np.testing.assert_allclose(whole, first.valid_logits, atol=1e-4)


def test_without_any_positive_the_threshold_follows_from_the_costs_alone() -> None:
    dear = Costs(false_positive=3.0, false_negative=1.0, abstention=1.0)
    found = thresholds.fit(np.full((3, 2), 0.1), np.zeros((3, 2), bool), dear)
    assert found.by_label.tolist() == [0.75, 0.75]


def test_costs_of_answers_by_hand() -> None:
    answered = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    named = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0]], bool)
    costs = Costs(false_positive=2.0, false_negative=3.0, abstention=0.5)
    # right; two wrong and one missed; no answer, whatever was true
    assert thresholds.session_costs(answered, named, costs).tolist() == [0, 7, 0.5, 0.5]


def test_where_to_abstain_by_hand() -> None:
    probabilities = np.array([[0.9], [0.8], [0.7], [0.6], [0.5], [0.4], [0.1]] + [[0.95]] * 10)
    named = np.array([[1], [1], [1], [0], [1], [0], [0]] + [[1]] * 10, bool)

    def below(abstention: float) -> float:
        found = thresholds.fit(probabilities, named, Costs(false_positive=1, false_negative=1, abstention=abstention))
        assert found.by_label.tolist() == [pytest.approx(0.65)]  # of two cuts with one mistake the higher
        return found.abstain_below

    # what passes .65 is right, so silence never pays above it; below it nothing is named: silence anyway
    assert below(0.5) == pytest.approx(0.65)
    assert below(0.0) == pytest.approx(0.975)


def test_dear_mistakes_make_fewer_answers() -> None:
    generator = np.random.default_rng(8)
    probabilities = generator.random((2000, 4)) ** 3
    named = generator.random((2000, 4)) < probabilities

    def answered(false_positive: float, false_negative: float, abstention: float) -> float:
        costs = Costs(false_positive=false_positive, false_negative=false_negative, abstention=abstention)
        found = thresholds.fit(probabilities, named, costs)
        sure = probabilities.max(axis=1, keepdims=True) >= found.abstain_below
        return float(((probabilities >= found.by_label) & sure).mean())

    assert answered(4, 1, 100) < answered(1, 1, 100) < answered(1, 4, 100)
    assert answered(1, 1, 0.2) < answered(1, 1, 1) < answered(1, 1, 100)


def test_logistic_regression_is_that_of_sklearn() -> None:
    generator = np.random.default_rng(3)
    embeddings = generator.normal(3, 2, (400, 5)).astype(np.float32)
    scores = (generator.random((400, 2)) < 1 / (1 + np.exp(-embeddings[:, :2] + 3))).astype(np.float32)
    train, valid = Examples(embeddings[:300], scores[:300]), Examples(embeddings[300:], scores[300:])
    found = logistic_regression(train, valid, PARAMS, 7)
    mean, deviation = train.embeddings.mean(axis=0), train.embeddings.std(axis=0)
    for label in range(2):
        theirs = LogisticRegression(C=1 / found.found["ridge"], tol=1e-8, max_iter=1000)
        theirs.fit((train.embeddings - mean) / deviation, train.scores[:, label])
        expected = theirs.decision_function((valid.embeddings - mean) / deviation)
        np.testing.assert_allclose(found.valid_logits[:, label], expected, atol=2e-3)


def test_both_networks_are_trained_and_each_says_how_it_fares() -> None:
    """Whether both coordinates have one sign: beyond any line, not beyond a hidden layer."""
    embeddings = np.random.default_rng(1).normal(0, 1, (600, 2)).astype(np.float32)
    scores = (embeddings.prod(axis=1, keepdims=True) > 0).astype(np.float32)
    train, valid = Examples(embeddings[:400], scores[:400]), Examples(embeddings[400:], scores[400:])
    found = candidates(train, valid, PARAMS, 7)
    assert found["perceptron"].valid_loss < 0.2 < 0.6 < found["logistic_regression"].valid_loss
