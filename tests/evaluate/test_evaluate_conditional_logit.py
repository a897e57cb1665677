"""The tile head against a slow loop, a numeric gradient and the true weights."""

import numpy as np
import pytest

from pipelines.evaluate.conditional_logit import Choices, Head, Penalty, fit, loss_and_gradient

SIZES = (4, 3, 2, 5)  # tiles, positions, tile features, context features


def choices(n_decisions: int, seed: int = 0) -> Choices:
    generator = np.random.default_rng(seed)
    position = np.full((n_decisions, 4), -1)
    for row in position:
        row[generator.permutation(4)[:3]] = np.arange(3)
    clicked = np.array([generator.choice(np.flatnonzero(row >= 0)) for row in position])
    features = generator.normal(size=(n_decisions, 4, 2))
    return Choices(position, clicked, features, generator.normal(size=(n_decisions, 5)))


def penalty() -> Penalty:
    return Penalty(0.7, np.array([0.1, 0.2, 0.3, 0.4, 0.5]))


def weights(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=4 + 3 + 2 + 4 * 5)


def slow_loss(flat: np.ndarray, seen: Choices, ridge: Penalty) -> float:
    intercepts, positions, shared, context = flat[:4], flat[4:7], flat[7:9], flat[9:].reshape(4, 5)
    loss = 0.0
    for row in range(len(seen.clicked)):
        utilities = {}
        for tile in range(4):
            place = seen.position[row, tile]
            if place >= 0:
                utilities[tile] = intercepts[tile] + positions[place]
                utilities[tile] += sum(shared[f] * seen.tile_features[row, tile, f] for f in range(2))
                utilities[tile] += sum(context[tile, x] * seen.context[row, x] for x in range(5))
        total = sum(np.exp(utility) for utility in utilities.values())
        loss -= np.log(np.exp(utilities[seen.clicked[row]]) / total)
    loss += ridge.base / 2 * (flat[:9] ** 2).sum()
    loss += sum(ridge.context[x] / 2 * context[tile, x] ** 2 for tile in range(4) for x in range(5))
    return float(loss / len(seen.clicked))


def test_the_loss_is_that_of_a_slow_loop() -> None:
    found, _ = loss_and_gradient(weights(), SIZES, choices(20), penalty())
    assert found == pytest.approx(slow_loss(weights(), choices(20), penalty()))


def test_the_gradient_is_the_numeric_one() -> None:
    seen, step = choices(15), 1e-6
    _, gradient = loss_and_gradient(weights(), SIZES, seen, penalty())
    for place in range(len(weights())):
        up, down = weights(), weights()
        up[place] += step
        down[place] -= step
        numeric = (slow_loss(up, seen, penalty()) - slow_loss(down, seen, penalty())) / (2 * step)
        assert gradient[place] == pytest.approx(numeric, abs=1e-6)


def test_probabilities_are_over_the_shown_tiles_only() -> None:
    seen = choices(30)
    head = Head(weights()[:4], weights()[4:7], weights()[7:9], weights()[9:].reshape(4, 5))
    probabilities = np.exp(head.log_probabilities(seen))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities[seen.position < 0] == 0).all()
    assert (probabilities[seen.position >= 0] > 0).all()


def test_huge_utilities_do_not_overflow() -> None:
    head = Head(np.array([1e4, -1e4, 0, 0]), np.zeros(3), np.zeros(2), np.zeros((4, 5)))
    assert not np.isnan(head.log_probabilities(choices(10))).any()


def test_recovers_the_weights_that_made_the_clicks() -> None:
    seen = choices(6000)
    truth = Head(np.array([0.5, 0.0, -0.5, 0.0]), np.array([0.5, 0.0, -0.5]), np.array([1.0, 0.0]), np.zeros((4, 5)))
    truth.context[1, 2] = 1.5
    generator = np.random.default_rng(9)
    chances = np.exp(truth.log_probabilities(seen))
    clicked = np.array([generator.choice(4, p=row) for row in chances])
    drawn = Choices(seen.position, clicked, seen.tile_features, seen.context)
    found = fit(drawn, 3, Penalty(0.01, np.full(5, 0.01)))
    assert found.shared == pytest.approx([1.0, 0.0], abs=0.1)
    assert found.context[1, 2] - found.context[0, 2] == pytest.approx(1.5, abs=0.15)
    assert found.intercepts[0] - found.intercepts[2] == pytest.approx(1.0, abs=0.15)
    assert np.abs(np.exp(found.log_probabilities(drawn)) - chances).mean() < 0.02


def test_overfits_a_handful_of_decisions() -> None:
    seen = choices(6)
    found = fit(seen, 3, Penalty(1e-6, np.full(5, 1e-6)))
    assert found.log_probabilities(seen)[np.arange(6), seen.clicked].min() > -0.05


def test_a_heavy_penalty_silences_the_context() -> None:
    found = fit(choices(200), 3, Penalty(1e-3, np.full(5, 1e7)))
    assert np.abs(found.context).max() < 1e-4
    assert np.abs(found.intercepts).max() > 1e-3


def test_the_start_does_not_change_the_end() -> None:
    seen = choices(300)
    plain = fit(seen, 3, penalty())
    started = fit(seen, 3, penalty(), Head(np.ones(4), np.ones(3), np.ones(2), np.ones((4, 5))))
    np.testing.assert_allclose(plain.log_probabilities(seen), started.log_probabilities(seen), atol=1e-3)
