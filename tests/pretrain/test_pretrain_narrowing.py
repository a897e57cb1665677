"""Which directions of the trained numbers the embedding keeps, and how long they are."""

import numpy as np
import pytest
import torch
from networks import FIELDS, draw_texts, draw_tokens, embedded, shape
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.poolings import POOLINGS
from pipelines.pretrain.narrowing import narrowed

WIDTH, KEPT = 24, 6


@pytest.fixture
def trained() -> np.ndarray:
    draw = np.random.default_rng(1)
    apart = np.diag(np.geomspace(1, 0.01, WIDTH)) @ np.linalg.qr(draw.normal(size=(WIDTH, WIDTH)))[0]
    return np.asarray(draw.normal(size=(4_000, WIDTH)) @ apart + draw.normal(size=WIDTH), dtype=np.float32)


def narrow(trained: np.ndarray, readers: list[np.ndarray], seed: int = 0) -> np.ndarray:
    matrix, centre = narrowed(trained, readers, KEPT, seed)
    return np.asarray((trained - centre) @ matrix)


def test_what_a_head_reads_is_kept_however_small_it_is(trained: np.ndarray) -> None:
    """Principal components would drop it: sessions hardly differ along it."""
    least = np.linalg.eigh(np.cov(trained.T))[1][:, 0]
    deviation = (trained @ least).std()
    read = trained @ least / deviation
    told, untold = (
        np.linalg.lstsq(narrow(trained, readers), read - read.mean(), rcond=None)[1][0] / len(read)
        for readers in ([np.outer([1.0, -1.0], least / deviation)], [])
    )
    assert told < 1e-4
    assert untold > 0.9


def test_without_readers_it_is_principal_components(trained: np.ndarray) -> None:
    variances, axes = np.linalg.eigh(np.cov(trained.T))
    largest = (trained - trained.mean(axis=0)) @ axes[:, -KEPT:]
    kept = narrow(trained, [])
    _, left, *_ = np.linalg.lstsq(kept, largest, rcond=None)
    assert left.sum() / len(trained) < 1e-3 * variances[-KEPT]


def test_no_dimension_is_much_longer_than_another_and_all_are_about_zero(trained: np.ndarray) -> None:
    kept = narrow(trained, [np.random.default_rng(2).normal(size=(5, WIDTH))])
    assert np.abs(kept.mean(axis=0)).max() < 1e-4
    assert np.square(kept).mean() == pytest.approx(1, rel=1e-3)
    assert kept.std(axis=0).min() > 0.3


def test_sums_in_another_order_move_nothing_but_last_digits(trained: np.ndarray) -> None:
    """As kernels of BLAS take them: fewer readers than numbers, so that most directions are read by rounding alone."""
    readers = [np.random.default_rng(2).normal(size=(3, WIDTH))]
    one, other = (narrowed(rows, readers, KEPT, seed=0)[0] for rows in (trained, trained[::-1]))
    assert not np.array_equal(one, other)
    assert np.abs(one - other).max() < 1e-11 * np.abs(one).max()


def test_seeds_turn_it_and_nothing_else(trained: np.ndarray) -> None:
    one, other, again = (narrow(trained, [], seed) for seed in (0, 1, 0))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    assert np.allclose(one @ one[:50].T, other @ other[:50].T, atol=1e-3)


def test_a_penalised_reader_learns_from_fewer_sessions() -> None:
    """One wide direction that heads read among many that none reads: what is not read is short."""
    draw = np.random.default_rng(3)
    sessions = draw.normal(size=(4_000, WIDTH)).astype(np.float32)
    target = (sessions[:, 0] + 0.5 * draw.normal(size=len(sessions)) > 0).astype(int)
    matrix, centre = narrowed(sessions, [np.eye(1, WIDTH) * 2], WIDTH, seed=0)
    losses = []
    for features in (sessions, (sessions - centre) @ matrix):
        scaled = StandardScaler().fit_transform(features)
        found = LogisticRegression().fit(scaled[:60], target[:60]).predict_proba(scaled[60:])
        losses.append(-np.log(found[np.arange(len(found)), target[60:]]).mean())
    assert losses[1] < losses[0]


def test_a_direction_that_no_session_uses_is_none(trained: np.ndarray) -> None:
    trained[:, 3] = trained[0, 3]
    assert np.isfinite(narrow(trained, [np.eye(WIDTH)])).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_last_layer_takes_the_map_in(pooling: str) -> None:
    network = SessionEncoder(shape(pooling=pooling), FIELDS, seed=1).eval()
    tokens, lengths, texts = draw_tokens(7, 5, seed=3), torch.tensor([5, 1, 2, 3, 4, 5, 1]), draw_texts()
    wide = embedded(network, tokens, lengths, texts).double()
    matrix, centre = (torch.from_numpy(one) for one in narrowed(wide.detach().numpy(), [], 4, seed=0))
    network.pool.narrow(matrix, centre)
    found = embedded(network, tokens, lengths, texts)
    assert found.shape == (7, 4)
    assert torch.allclose(found.double(), (wide - centre) @ matrix, atol=1e-4)


def test_last_digits_of_the_map_move_no_weight() -> None:
    """Kernels of BLAS differ in them, so that one machine would have other bytes than another."""
    draw = torch.Generator().manual_seed(5)
    matrix, centre = (torch.randn(size, generator=draw, dtype=torch.float64) for size in ((32, 4), (32,)))
    nudged = matrix * (1 + 1e-9 * torch.randn(matrix.shape, generator=draw, dtype=torch.float64))
    weights = []
    for one in (matrix, nudged):
        network = SessionEncoder(shape(), FIELDS, seed=1)
        network.pool.narrow(one, centre)
        weights.append(torch.cat([weight.flatten() for weight in network.pool.parameters()]))
    assert torch.equal(*weights)
