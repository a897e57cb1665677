"""Each loss against a slow loop; the views; one batch learnt by heart."""

import math

import numpy as np
import pytest
import torch
from networks import FIELDS, TEXT_DIM, draw_texts, draw_tokens, shape
from torch import Tensor

from pipelines.encoder.architectures import ARCHITECTURES
from pipelines.encoder.fields import NOTHING, UNKNOWN, Field, columns_of
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.poolings import at_last
from pipelines.encoder.tensors import TensorBatch
from pipelines.params import Pretrain, validate
from pipelines.pretrain.heads import EventHeads
from pipelines.pretrain.objectives import OBJECTIVES
from pipelines.pretrain.objectives.contrastive import info_nce, page_columns, same_pages
from pipelines.pretrain.objectives.masked_events import MaskedEvents
from pipelines.pretrain.objectives.neighbours import Neighbours
from pipelines.pretrain.objectives.next_event import NextEvent
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.objectives.spread import COVARIANCE_WEIGHT, Spread
from pipelines.pretrain.objectives.whole_session import WholeSession
from pipelines.pretrain.training import Training, warm_cosine
from pipelines.pretrain.views import Hiding, Near, Seen, View, leave_out

TARGETS = {"page": 1.0, "event_type": 0.5, "elapsed": 0.3, "text": 0.7}
SHAPE = shape(dropout=0.0)
COLUMNS = columns_of(FIELDS)


@pytest.fixture(scope="module")
def params(tiny_params: dict[str, object]) -> Pretrain:
    return validate(tiny_params, "tiny").pretrain.model_copy(update={"targets": TARGETS})


@pytest.fixture
def batch() -> TensorBatch:
    lengths = torch.tensor([5, 1, 3, 2, 4, 5])
    tokens = draw_tokens(6, 5, seed=0)
    return TensorBatch(tokens * (torch.arange(5) < lengths[:, None])[..., None], lengths, draw_texts())


def seen_in(objective: Objective, batch: TensorBatch, prefixes: Tensor, near: Near | None = None) -> Seen:
    views = [View(view, prefixes[: len(view.lengths)]) for view in objective.views(batch, near)]
    return Seen(batch, prefixes, near, views)


@torch.no_grad()
def slow_loss(heads: EventHeads, vector: Tensor, event: Tensor, texts: Tensor) -> float:
    """Of one event."""
    total = 0.0
    for name, weight in TARGETS.items():
        target, head = int(event[COLUMNS[name].start]), heads.heads[name]
        if name == "text" and target != NOTHING:
            said = head(vector)
            total += weight * (1 - float(said @ texts[target] / said.norm() / texts[target].norm()))
        elif name != "text" and target > (NOTHING if name == "elapsed" else UNKNOWN):
            total -= weight * float(head(vector).log_softmax(dim=0)[target])
    return total


def test_next_event_against_a_slow_loop(params: Pretrain, batch: TensorBatch) -> None:
    torch.manual_seed(1)
    objective, prefixes = NextEvent(SHAPE, FIELDS, params), torch.randn(6, 5, 32)
    lost = [
        slow_loss(objective.heads, prefixes[row, step], batch.tokens[row, step + 1], batch.texts)
        for row, length in enumerate(batch.lengths.tolist())
        for step in range(length - 1)
    ]
    assert objective(seen_in(objective, batch, prefixes)).item() == pytest.approx(sum(lost) / len(lost), rel=1e-5)


def test_whole_session_against_a_slow_loop(params: Pretrain, batch: TensorBatch) -> None:
    torch.manual_seed(6)
    objective, prefixes = WholeSession(SHAPE, FIELDS, params), torch.randn(6, 5, 32)
    lost = [
        sum(
            slow_loss(objective.heads, prefixes[row, length - 1], batch.tokens[row, step], batch.texts) / length
            for step in range(length)
        )
        for row, length in enumerate(batch.lengths.tolist())
    ]
    assert objective(seen_in(objective, batch, prefixes)).item() == pytest.approx(sum(lost) / len(lost), rel=1e-5)


def test_masked_events_against_a_slow_loop(params: Pretrain, batch: TensorBatch) -> None:
    torch.manual_seed(2)
    objective, embeddings = MaskedEvents(SHAPE, FIELDS, params), torch.randn(6, 32)
    chosen = torch.zeros(6, 5, dtype=torch.bool)
    chosen[0, 4] = chosen[0, 1] = chosen[3, 0] = True
    lost = []
    for row, step in chosen.nonzero().tolist():
        from_end = int(batch.lengths[row]) - 1 - step
        told = torch.nn.functional.gelu(objective.reader(embeddings[row]) + objective.place.weight[from_end])
        lost.append(slow_loss(objective.heads, told, batch.tokens[row, step], batch.texts))
    loss = objective.loss(embeddings, seen_in(objective, batch, torch.zeros(6, 5, 32)), chosen)
    assert loss.item() == pytest.approx(sum(lost) / 3, rel=1e-5)


def test_masked_events_are_hidden_from_the_encoder(params: Pretrain, batch: TensorBatch) -> None:
    torch.manual_seed(3)
    (read,) = MaskedEvents(SHAPE, FIELDS, params).views(batch, None)
    changed = (read.tokens != batch.tokens).any(dim=-1)
    assert changed.any()
    assert not changed[batch.lengths == 1].any()
    assert set(read.tokens[changed][:, COLUMNS["page"].start].tolist()) == {UNKNOWN}
    assert not read.tokens[changed][:, COLUMNS["text"].start].any()


@torch.no_grad()
def slow_info_nce(first: Tensor, second: Tensor, same: Tensor, temperature: float) -> float:
    total = 0.0
    for anchors, others in ((first, second), (second, first)):
        for i in range(len(first)):
            pairs = [float(anchors[i] @ others[j]) / temperature for j in range(len(first)) if j == i or not same[i, j]]
            own = float(anchors[i] @ others[i]) / temperature
            total += math.log(sum(math.exp(pair) for pair in pairs)) - own
    return total / 2 / len(first)


def test_contrast_against_a_slow_loop() -> None:
    torch.manual_seed(2)
    first, second = (torch.nn.functional.normalize(torch.randn(4, 8), dim=-1) for _ in range(2))
    same = torch.eye(4, dtype=torch.bool)
    same[0, 3] = same[3, 0] = True
    wanted = slow_info_nce(first, second, same, 0.05)
    assert info_nce(first, second, same, 0.05).item() == pytest.approx(wanted, rel=1e-5)


def test_neighbours_contrasts_only_the_sessions_that_have_one(params: Pretrain, batch: TensorBatch) -> None:
    torch.manual_seed(4)
    objective, rows = Neighbours(SHAPE, FIELDS, params), torch.tensor([0, 2, 5])
    prefixes = torch.randn(6, 5, 32)
    near = Near(rows, TensorBatch(batch.tokens[[1, 3, 4]], batch.lengths[[1, 3, 4]], batch.texts))
    first, second = (
        torch.nn.functional.normalize(objective.head(at_last(prefixes[:3], lengths)), dim=-1)
        for lengths in (batch.lengths[rows], near.batch.lengths)
    )
    same = same_pages(batch.tokens[rows][..., page_columns(FIELDS)])
    wanted = slow_info_nce(first, second, same, params.temperature)
    assert objective(seen_in(objective, batch, prefixes, near)).item() == pytest.approx(wanted, rel=1e-4)
    assert objective(seen_in(objective, batch, prefixes)).item() == 0


def test_spread_against_a_slow_loop(params: Pretrain) -> None:
    embeddings = torch.randn(7, 3, generator=torch.Generator().manual_seed(5)) * torch.tensor([0.1, 1.0, 3.0])
    columns = embeddings.T.tolist()
    means = [sum(column) / 7 for column in columns]

    def covariance(i: int, j: int) -> float:
        pairs = zip(columns[i], columns[j], strict=True)
        return sum((left - means[i]) * (right - means[j]) for left, right in pairs) / 6

    short = sum(max(0.0, 1 - math.sqrt(covariance(i, i) + 1e-4)) for i in range(3)) / 3
    shared = sum(covariance(i, j) ** 2 for i in range(3) for j in range(3) if i != j) / 3
    loss = Spread(SHAPE, FIELDS, params).loss(embeddings)
    assert loss.item() == pytest.approx(short + COVARIANCE_WEIGHT * shared, rel=1e-5)


def test_same_pages_compares_whole_paths() -> None:
    same = same_pages(torch.tensor([[[1], [2]], [[1], [2]], [[1], [0]]]))
    assert same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_leave_out_keeps_order_and_at_least_one_event(batch: TensorBatch) -> None:
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


def test_hidden_fields_are_unknown_or_nothing_and_padding_stays(batch: TensorBatch) -> None:
    torch.manual_seed(4)
    hiding = Hiding(FIELDS)
    hidden = hiding(batch.tokens, 1.0)
    for field in FIELDS:
        shown = batch.tokens[..., COLUMNS[field.name]] != NOTHING
        mark = UNKNOWN if field.kind in ("token", "words") else NOTHING
        assert (hidden[..., COLUMNS[field.name]][shown] == mark).all()
        assert (hidden[..., COLUMNS[field.name]][~shown] == NOTHING).all()
    assert torch.equal(hiding(batch.tokens, 0.0), batch.tokens)
    words = hiding(batch.tokens, 0.5)[..., COLUMNS["path"]] != batch.tokens[..., COLUMNS["path"]]
    told = batch.tokens[..., COLUMNS["path"]] > UNKNOWN
    assert (words[told.all(dim=-1)].sum(dim=-1) != 1).all()  # all words of a path or none


def test_a_share_of_the_fields_is_hidden_and_most_sessions_stay_whole() -> None:
    torch.manual_seed(7)
    tokens = draw_tokens(400, 5, seed=2)
    changed = Hiding(FIELDS)(tokens, 0.1) != tokens
    assert float(changed[..., COLUMNS["page"]].float().mean()) == pytest.approx(0.1, abs=0.03)
    assert float((~changed.flatten(1).any(dim=1)).float().mean()) == pytest.approx(0.8, abs=0.06)


def test_views_show_content_and_half_of_the_pace() -> None:
    torch.manual_seed(5)
    fields = (*FIELDS, Field("campaign", "words", "element", (400, 401)))  # a field that a user added
    tokens = torch.cat([draw_tokens(50, 20, seed=1), torch.full((50, 20, 1), 3)], dim=-1)
    view = Hiding(fields).view(TensorBatch(tokens, torch.full((50,), 20), draw_texts()), 0.0, 0.1)
    changed = view.tokens != tokens
    assert torch.equal(view.tokens[..., -1], torch.full((50, 20), UNKNOWN))
    assert not view.tokens[..., COLUMNS["hour"]].any()
    paced = tokens[..., COLUMNS["elapsed"]] != NOTHING
    assert float(changed[..., COLUMNS["elapsed"]][paced].float().mean()) == pytest.approx(0.5, abs=0.06)
    for name in ("text", "event_type", "path"):
        assert float(changed[..., COLUMNS[name]].any(dim=-1).float().mean()) == pytest.approx(0.1, abs=0.04)


def test_a_field_of_the_context_is_hidden_throughout_a_session_or_not_at_all() -> None:
    torch.manual_seed(6)
    fields = (*FIELDS, Field("campaign", "words", "element", (400, 401)))
    tokens = torch.cat([draw_tokens(400, 5, seed=2), torch.full((400, 5, 1), 3)], dim=-1)
    hidden = Hiding(fields).context(tokens, 0.5)
    columns, gone = columns_of(fields), {}
    for field in fields:
        before, after = tokens[..., columns[field.name]], hidden[..., columns[field.name]]
        if field.name not in ("hour", "campaign"):
            assert torch.equal(after, before)
            continue
        mark = UNKNOWN if field.name == "campaign" else NOTHING
        gone[field.name] = (after == mark).flatten(1).all(dim=1)
        assert torch.equal(after[~gone[field.name]], before[~gone[field.name]])
        assert float(gone[field.name].float().mean()) == pytest.approx(0.5, abs=0.08)
    both = float((gone["hour"] & gone["campaign"]).float().mean())
    assert both == pytest.approx(0.25, abs=0.08)  # each for itself
    assert torch.equal(Hiding(fields).context(tokens, 0.0), tokens)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", ["next_event", "masked_events"])
def test_training_learns_one_batch_by_heart(params: Pretrain, architecture: str, name: str) -> None:
    torch.manual_seed(6)
    tokens = draw_tokens(6, 4, seed=7)
    tokens[..., COLUMNS["page"].start] = 2 + torch.arange(24).reshape(6, 4) % 7
    batch = TensorBatch(tokens, torch.full((6,), 4), draw_texts())
    only = params.model_copy(update={"targets": {"page": 1.0}, "objectives": {name: 1.0}})
    small = shape(architecture, dropout=0.0)
    training = Training(SessionEncoder(small, FIELDS, 1), small, FIELDS, only, seed=1)
    optimizer = torch.optim.Adam(training.parameters(), lr=0.01)
    losses = []
    for _ in range(120):
        torch.manual_seed(8)  # the same events hidden
        loss = training.objectives[name](training.seen(batch, None)[name])
        optimizer.zero_grad()
        training.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < 1 < losses[0]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_moves_the_encoder(params: Pretrain, name: str) -> None:
    torch.manual_seed(9)
    batch = TensorBatch(draw_tokens(20, 5, seed=1), torch.full((20,), 5), draw_texts())
    near = Near(torch.arange(10), TensorBatch(batch.tokens[10:], batch.lengths[10:], batch.texts))
    only = params.model_copy(update={"objectives": {name: 1.0}})
    training = Training(SessionEncoder(SHAPE, FIELDS, 1), SHAPE, FIELDS, only, seed=1)
    training.backward(training.objectives[name](training.seen(batch, near)[name]))
    moved = [float(weight.grad.abs().sum()) for weight in training.encoder.parameters() if weight.grad is not None]
    assert sum(moved) > 0


def test_only_fields_that_are_read_and_weigh_something_are_predicted() -> None:
    heads = EventHeads(8, TEXT_DIM, FIELDS, {"page": 1.0, "weekday": 1.0, "text": 0.0})
    assert set(heads.heads) == {"page"}


def test_readers_are_the_heads_of_what_can_be_told_by_their_weights(params: Pretrain) -> None:
    both = {"next_event": 1.0, "whole_session": 0.25, "contrastive": 1.0}
    block = params.model_copy(update={"targets": {"page": 0.25, "text": 1.0}, "objectives": both})
    training = Training(SessionEncoder(SHAPE, FIELDS, 1), SHAPE, FIELDS, block, seed=1)
    heads = training.objectives["next_event"].heads.heads
    page = heads["page"].weight.detach().double().numpy()[UNKNOWN + 1 :]
    found = training.readers()
    assert [reader.shape for reader in found] == [(7, SHAPE.embedding_dim), (TEXT_DIM, SHAPE.embedding_dim)] * 2
    assert np.allclose(found[0], 0.5 * (page - page.mean(axis=0)), atol=1e-6)
    assert np.allclose(found[1], heads["text"].weight.detach().numpy())
    text = training.objectives["whole_session"].heads.heads["text"].weight.detach().numpy()
    assert np.allclose(found[3], 0.5 * text)


def test_the_learning_rate_warms_up_then_falls_to_zero() -> None:
    rates = [warm_cosine(step, 100, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01
