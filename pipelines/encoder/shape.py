"""The sizes and choices that make an encoder's network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What a SessionEncoder is built from, beside its fields."""

    architecture: str
    pooling: str
    embedding_dim: int
    event_dim: int  # of an event, before it is read in order
    hidden_dim: int  # of a state
    n_layers: int
    n_heads: int
    dropout: float
    text_dim: int
