"""Small encoders, and tokens drawn for them."""

from collections.abc import Sequence

import torch

from pipelines.encoder.fields import Field
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.shape import Shape

FIELDS = (
    Field("page", "token", "page", tuple(range(100, 107))),
    Field("path", "words", "path", tuple(range(200, 205)), 2),
    Field("text", "text", "page"),
    Field("event_type", "token", "event_type", (300, 301, 302)),
    Field("elapsed", "elapsed", "ts"),
    Field("hour", "hour", "ts"),
)
TEXT_DIM = 6
TEXTS = 4
"""Rows of the text table, that of nothing among them."""
SIZES = [9, 7, 7, TEXTS, 5, 22, 25]
"""How many values each token column can hold."""


def shape(architecture: str = "gru", pooling: str = "mix", dropout: float = 0.1) -> Shape:
    return Shape(architecture, pooling, 32, 24, 16, 2, 2, dropout, TEXT_DIM)


def draw_tokens(n_sessions: int, n_events: int, seed: int, sizes: Sequence[int] = SIZES) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(1, size, (n_sessions, n_events), generator=generator) for size in sizes], dim=-1)


def draw_texts(seed: int = 2) -> torch.Tensor:
    texts = torch.randn(TEXTS, TEXT_DIM, generator=torch.Generator().manual_seed(seed))
    texts[0] = 0
    return texts


def embedded(encoder: SessionEncoder, tokens: torch.Tensor, lengths: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """Returns the embeddings of sessions (B, T, C), each event as if it were like no other."""
    places = torch.arange(tokens[..., 0].numel()).view(tokens.shape[:2])
    found: torch.Tensor = encoder(tokens.flatten(end_dim=1), places, lengths, texts)
    return found
