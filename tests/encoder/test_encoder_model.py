"""What a prefix can and cannot depend on, whatever the architecture and the pooling."""

from dataclasses import replace

import pytest
import torch
from networks import FIELDS, SIZES, draw_texts, draw_tokens, embedded, shape
from torch import Tensor

from pipelines.encoder.architectures import ARCHITECTURES
from pipelines.encoder.fields import columns_of
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.poolings import POOLINGS, at_last

CHOICES = [("gru", "mix"), ("transformer", "mix"), *(("gru", pooling) for pooling in POOLINGS if pooling != "mix")]


@pytest.fixture(scope="module", params=CHOICES, ids="-".join)
def encoder(request: pytest.FixtureRequest) -> SessionEncoder:
    architecture, pooling = request.param
    return SessionEncoder(shape(architecture, pooling), FIELDS, seed=1).eval()


def test_every_architecture_and_pooling_is_tried() -> None:
    assert {architecture for architecture, _ in CHOICES} == set(ARCHITECTURES)
    assert {pooling for _, pooling in CHOICES} == set(POOLINGS)


@torch.inference_mode()
def test_changing_a_later_event_leaves_a_prefix_bit_equal(encoder: SessionEncoder) -> None:
    tokens, texts = draw_tokens(3, 9, seed=3), draw_texts()
    before = encoder.prefixes(tokens, texts)
    for field in FIELDS:
        column = columns_of(FIELDS)[field.name].start
        for changed_at in (1, 5, 8):
            changed = tokens.clone()
            changed[:, changed_at:, column] = (changed[:, changed_at:, column] % (SIZES[column] - 1)) + 1
            after = encoder.prefixes(changed, texts)
            assert torch.equal(after[:, :changed_at], before[:, :changed_at])
            assert not torch.equal(after[:, changed_at], before[:, changed_at]), field.name


@torch.inference_mode()
def test_padding_and_batch_mates_change_nothing(encoder: SessionEncoder) -> None:
    tokens, lengths, texts = draw_tokens(5, 12, seed=4), torch.tensor([1, 4, 12, 7, 9]), draw_texts()
    inside = torch.arange(12) < lengths[:, None]
    together = embedded(encoder, tokens * inside[..., None], lengths, texts)
    for row, length in enumerate(lengths.tolist()):
        alone = embedded(encoder, tokens[row : row + 1, :length], torch.tensor([length]), texts)
        assert torch.allclose(alone[0], together[row], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_events_reach_the_embedding_past_the_states() -> None:
    """With states that say nothing, `mix` still holds the last event, and the mean of all."""
    network = SessionEncoder(shape("gru", "mix", dropout=0.0), FIELDS, seed=1).eval()
    for weight in network.states.parameters():
        weight.zero_()
    tokens, texts = draw_tokens(2, 4, seed=6), draw_texts()
    vectors = network.events(tokens, texts)  # (B, T, E)
    nothing = torch.zeros(2, network.states.layers.hidden_size)
    read = torch.cat([nothing, vectors[:, -1], nothing, vectors.mean(dim=1)], dim=-1)
    expected = network.pool.project(read)
    assert torch.allclose(network.prefixes(tokens, texts)[:, -1], expected, atol=1e-5)
    assert torch.allclose(embedded(network, tokens, torch.tensor([4, 4]), texts), expected, atol=1e-5)


@torch.inference_mode()
def test_the_embedding_keeps_order_and_end(encoder: SessionEncoder) -> None:
    tokens, last = draw_tokens(1, 6, seed=5), torch.tensor([6])
    forward, backward = (embedded(encoder, each, last, draw_texts()) for each in (tokens, tokens.flip(dims=[1])))
    assert not torch.allclose(forward, backward, atol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("n_layers", "architecture"), [(1, "gru"), (2, "gru"), (2, "transformer")])
def test_an_event_that_is_written_once_is_read_as_often_as_it_came(n_layers: int, architecture: str) -> None:
    encoder = SessionEncoder(replace(shape(architecture), n_layers=n_layers), FIELDS, seed=1).eval()
    events, texts, lengths = draw_tokens(1, 4, seed=8)[0], draw_texts(), torch.tensor([6, 2, 5])
    places = torch.randint(0, 4, (3, 6), generator=torch.Generator().manual_seed(9))
    wanted = at_last(encoder.prefixes(events[places], texts), lengths)
    assert torch.allclose(encoder(events, places, lengths, texts), wanted, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_poolings_against_a_slow_loop() -> None:
    states = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(6))
    torch.manual_seed(7)
    for name, make in POOLINGS.items():
        pool = make(8, 3)
        pooled, lengths = pool(states), torch.tensor([5, 2])
        assert torch.allclose(pool.at_end(states, lengths), at_last(pooled, lengths), atol=1e-6), name
        for row in range(2):
            for step in range(5):
                seen = states[row, : step + 1]
                mean = seen.sum(dim=0) / len(seen)
                if name == "attention":
                    scores = torch.stack([10 * torch.tanh(pool.score(state) / 10) for state in seen]).squeeze(-1)
                    mean = sum(weight * state for weight, state in zip(scores.softmax(dim=0), seen, strict=True))
                wanted = {"last": seen[-1], "mix": torch.cat([seen[-1], mean])}.get(name, mean)
                assert torch.allclose(pooled[row, step], pool.project(wanted), atol=1e-5), name


@torch.inference_mode()
def test_events_are_dropped_in_training_alone_and_once_for_all_who_read_them() -> None:
    network = SessionEncoder(shape("gru", "last", dropout=0.5), FIELDS, seed=1)
    tokens, texts = draw_tokens(2, 4, seed=6), draw_texts()
    read: list[Tensor] = []
    network.states.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    network.pool.register_forward_pre_hook(lambda _, given: read.append(given[0][..., -shape().event_dim :]))
    for training, share in ((True, 0.5), (False, 0.0)):
        read.clear()
        network.train(training).prefixes(tokens, texts)
        by_layers, by_pooling = read
        assert torch.equal(by_layers, by_pooling)
        assert (by_layers == 0).float().mean().item() == pytest.approx(share, abs=0.15)
