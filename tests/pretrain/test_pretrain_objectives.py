"""Each loss against a slow loop; the views; one batch learnt by heart."""

import math

import pytest
import torch
from torch import Tensor

from pipelines.encoder import arrays
from pipelines.encoder.arrays import PaddedBatch
from pipelines.encoder.model import SessionEncoder, Shape
from pipelines.params import Params, Pretrain, validate
from pipelines.pretrain.objectives.contrastive import Contrastive, same_pages
from pipelines.pretrain.objectives.next_event import NextEvent
from pipelines.pretrain.training import Training, warm_cosine
from pipelines.pretrain.views import Seen, hide_pages, leave_out, view

SHAPE = Shape(32, 32, 1, 2, 0.0, n_pages=8, n_event_types=4, text_dim=6)


@pytest.fixture(scope="module")
def params(tiny_params: dict[str, object]) -> Pretrain:
    values: Params = validate(tiny_params, "tiny")
    return values.pretrain


@pytest.fixture
def batch() -> PaddedBatch:
    generator = torch.Generator().manual_seed(0)
    sizes = [8, 8, 4, 5, 5, 5, 3]
    tokens = torch.stack([torch.randint(1, size, (6, 5), generator=generator) for size in sizes], dim=-1)
    lengths = torch.tensor([5, 1, 3, 2, 4, 5])
    return PaddedBatch(tokens * (torch.arange(5) < lengths[:, None])[..., None], lengths)


def test_next_event_against_a_slow_loop(params: Pretrain, batch: PaddedBatch) -> None:
    torch.manual_seed(1)
    objective, prefixes = NextEvent(SHAPE, params), torch.randn(6, 5, 32)
    total, n_targets = 0.0, 0
    for session, length in enumerate(batch.lengths.tolist()):
        for step in range(length - 1):
            n_targets += 1
            for head, field in ((objective.page, arrays.PAGE), (objective.event_type, arrays.EVENT_TYPE)):
                target = batch.tokens[session, step + 1, field]
                if target > arrays.UNKNOWN:
                    total -= head(prefixes[session, step]).log_softmax(dim=0)[target].item()
    loss = objective(Seen(batch, prefixes, lambda tokens: prefixes))
    assert loss.item() == pytest.approx(total / n_targets, rel=1e-5)


def test_next_event_of_single_events_is_zero(params: Pretrain, batch: PaddedBatch) -> None:
    single = PaddedBatch(batch.tokens[:, :1], torch.ones(6, dtype=torch.int64))
    loss = NextEvent(SHAPE, params)(Seen(single, torch.randn(6, 1, 32), lambda tokens: tokens))
    assert loss.item() == 0


def test_contrastive_against_a_slow_loop(params: Pretrain) -> None:
    torch.manual_seed(2)
    first, second = (torch.nn.functional.normalize(torch.randn(4, 8), dim=-1) for _ in range(2))
    same = torch.eye(4, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    total = 0.0
    for anchors, others in ((first, second), (second, first)):
        for i in range(4):
            pairs = [float(anchors[i] @ others[j]) / params.temperature for j in range(4) if j == i or not same[i, j]]
            own = float(anchors[i] @ others[i]) / params.temperature
            total += math.log(sum(math.exp(pair) for pair in pairs)) - own
    loss = Contrastive(SHAPE, params).loss(first, second, same)
    assert loss.item() == pytest.approx(total / 8, rel=1e-5)


def test_same_pages_compares_whole_paths() -> None:
    tokens = torch.zeros(3, 2, len(arrays.FIELDS), dtype=torch.int64)
    tokens[..., arrays.TEXT] = torch.tensor([[1, 2], [1, 2], [1, 0]])
    same = same_pages(PaddedBatch(tokens, torch.tensor([2, 2, 1])))
    assert same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_leave_out_keeps_order_and_at_least_one_event(batch: PaddedBatch) -> None:
    torch.manual_seed(3)
    for share in (0.0, 0.5, 0.99):
        left = leave_out(batch, share)
        assert (left.lengths >= 1).all()
        assert (left.lengths <= batch.lengths).all()
        for row, length in enumerate(left.lengths.tolist()):
            events = [tuple(event) for event in batch.tokens[row, : batch.lengths[row]].tolist()]
            kept = [tuple(event) for event in left.tokens[row, :length].tolist()]
            places = iter(events)
            assert all(event in places for event in kept)  # a subsequence
            assert not left.tokens[row, length:].any()
    assert torch.equal(leave_out(batch, 0.0).tokens, batch.tokens)


def test_hidden_pages_keep_their_text(batch: PaddedBatch) -> None:
    torch.manual_seed(4)
    hidden = hide_pages(batch.tokens, 1.0)
    inside = batch.tokens[..., arrays.PAGE] != arrays.PADDING
    assert (hidden[..., arrays.PAGE][inside] == arrays.UNKNOWN).all()
    assert torch.equal(hidden[..., 1:], batch.tokens[..., 1:])
    assert not torch.equal(view(batch, 0.0, 0.5).tokens, batch.tokens)


def test_training_learns_one_batch_by_heart(params: Pretrain) -> None:
    text_table = torch.randn(9, SHAPE.text_dim, generator=torch.Generator().manual_seed(5))
    tokens = torch.ones(6, 4, len(arrays.FIELDS), dtype=torch.int64)
    tokens[..., arrays.PAGE] = 2 + (torch.arange(6)[:, None] + torch.arange(4) * torch.arange(1, 7)[:, None]) % 6
    batch = PaddedBatch(tokens, torch.full((6,), 4))
    training = Training(SessionEncoder(SHAPE, 1), SHAPE, params, text_table, seed=1).eval()
    objective = training.objectives["next_event"]
    optimizer = torch.optim.Adam(training.parameters(), lr=0.01)
    losses = []
    for _ in range(150):
        loss: Tensor = objective(Seen(batch, training.encoder(batch.tokens, text_table), lambda tokens: tokens))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < losses[0]


def test_the_learning_rate_warms_up_then_falls_to_zero() -> None:
    rates = [warm_cosine(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01
