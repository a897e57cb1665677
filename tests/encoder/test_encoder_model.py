"""What a prefix can and cannot depend on."""

import pytest
import torch

from pipelines.encoder import arrays
from pipelines.encoder.model import SessionEncoder, Shape, at_last

SHAPE = Shape(
    embedding_dim=32, hidden_dim=16, n_layers=2, n_heads=2, dropout=0.1, n_pages=9, n_event_types=5, text_dim=6
)
SIZES = [SHAPE.n_pages, 4, SHAPE.n_event_types, arrays.N_ELAPSED, arrays.N_HOURS, arrays.N_WEEKDAYS, 3]


@pytest.fixture(scope="module")
def encoder() -> SessionEncoder:
    return SessionEncoder(SHAPE, seed=1).eval()


@pytest.fixture(scope="module")
def text_table() -> torch.Tensor:
    return torch.randn(4, SHAPE.text_dim, generator=torch.Generator().manual_seed(2))


def draw_tokens(n_sessions: int, n_events: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(1, size, (n_sessions, n_events), generator=generator) for size in SIZES], dim=-1)


@pytest.mark.parametrize("field", range(len(arrays.FIELDS)), ids=arrays.FIELDS)
@torch.inference_mode()
def test_changing_a_later_event_leaves_a_prefix_bit_equal(
    encoder: SessionEncoder, text_table: torch.Tensor, field: int
) -> None:
    tokens = draw_tokens(3, 11, seed=3)
    before = encoder(tokens, text_table)
    for changed_at in range(1, 11):
        changed = tokens.clone()
        changed[:, changed_at:, field] = (changed[:, changed_at:, field] % (SIZES[field] - 1)) + 1
        after = encoder(changed, text_table)
        assert torch.equal(after[:, :changed_at], before[:, :changed_at])
        assert not torch.equal(after[:, changed_at], before[:, changed_at])


@torch.inference_mode()
def test_padding_and_batch_mates_change_nothing(encoder: SessionEncoder, text_table: torch.Tensor) -> None:
    tokens, lengths = draw_tokens(5, 12, seed=4), torch.tensor([1, 4, 12, 7, 9])
    inside = torch.arange(12) < lengths[:, None]
    together = at_last(encoder(tokens * inside[..., None], text_table), lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = at_last(encoder(tokens[row : row + 1, :length], text_table), torch.tensor([length]))
        assert torch.allclose(alone[0], together[row], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_the_embedding_keeps_order_and_end(encoder: SessionEncoder, text_table: torch.Tensor) -> None:
    tokens = draw_tokens(1, 6, seed=5)
    backwards = tokens.flip(dims=[1])
    last = torch.tensor([6])
    assert not torch.allclose(
        at_last(encoder(tokens, text_table), last), at_last(encoder(backwards, text_table), last), atol=1e-3
    )
