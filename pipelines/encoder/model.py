"""A causal Transformer over events whose every prefix is summed up in the session embedding.

Axis legend: B sessions, T events, F fields, H hidden, D embedding, P pages of the catalogue.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder import arrays


@dataclass(frozen=True)
class Shape:
    """The sizes that make a SessionEncoder."""

    embedding_dim: int
    hidden_dim: int
    n_layers: int
    n_heads: int
    dropout: float
    n_pages: int
    n_event_types: int
    text_dim: int


class SessionEncoder(nn.Module):
    """Encodes each prefix of a session into D numbers; the prefix that is the whole session is its embedding.

    State t attends to events 1..t only, so nothing before an event can depend on it; padding on the right, and the
    other sessions of a batch, cannot reach a session's states at all.
    """

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        hidden = shape.hidden_dim
        self.page = nn.Embedding(shape.n_pages, hidden)
        self.text = nn.Linear(shape.text_dim, hidden, bias=False)
        self.event_type = nn.Embedding(shape.n_event_types, hidden)
        self.elapsed = nn.Embedding(arrays.N_ELAPSED, hidden)
        self.hour = nn.Embedding(arrays.N_HOURS, hidden)
        self.weekday = nn.Embedding(arrays.N_WEEKDAYS, hidden)
        self.channel = nn.Embedding(len(arrays.CHANNEL_TOKENS) + 1, hidden)
        self.fuse = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )
        self.blocks = nn.ModuleList(_Block(hidden, shape.n_heads, shape.dropout) for _ in range(shape.n_layers))
        self.normalise = nn.LayerNorm(hidden)
        self.pool = nn.Linear(2 * hidden, shape.embedding_dim)
        for table in (module for module in self.modules() if isinstance(module, nn.Embedding)):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, tokens: Tensor, text_table: Tensor) -> Tensor:
        """Returns the embedding of every prefix, (B, T, D), of ``tokens`` (B, T, F).

        Args:
            tokens: as in arrays.FIELDS.
            text_table: frozen text vectors (P + 1, text_dim); row 0, of events without a known page, is zero.
        """
        states = self._events(tokens, text_table)  # (B, T, H)
        for block in self.blocks:
            states = block(states)
        states = self.normalise(states)
        steps = torch.arange(1, states.shape[1] + 1, device=states.device)[None, :, None]
        means = states.cumsum(dim=1) / steps  # the course of the session so far; the state itself is where it stands
        pooled: Tensor = self.pool(torch.cat([states, means], dim=-1))
        return pooled

    def _events(self, tokens: Tensor, text_table: Tensor) -> Tensor:
        fields = tokens.unbind(dim=-1)
        texts = functional.embedding(fields[arrays.TEXT], self.text(text_table))
        summed = (
            self.page(fields[arrays.PAGE])
            + texts
            + self.event_type(fields[arrays.EVENT_TYPE])
            + self.elapsed(fields[arrays.ELAPSED])
            + self.hour(fields[arrays.HOUR])
            + self.weekday(fields[arrays.WEEKDAY])
            + self.channel(fields[arrays.CHANNEL])
        )
        fused: Tensor = summed + self.fuse(summed)
        return fused


def at_last(prefixes: Tensor, lengths: Tensor) -> Tensor:
    """Returns the embedding of each whole session, (B, D), out of those of its prefixes, (B, T, D)."""
    return prefixes[torch.arange(len(lengths), device=prefixes.device), lengths - 1]


class _Block(nn.Module):
    """Pre-norm attention and MLP (Xiong et al., arXiv 2002.04745) with rotary positions (Su et al., 2104.09864)."""

    def __init__(self, hidden: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.before_attention = nn.LayerNorm(hidden)
        self.project_in = nn.Linear(hidden, 3 * hidden)
        self.project_out = nn.Linear(hidden, hidden)
        self.mlp = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:  # (B, T, H) -> (B, T, H)
        shape = (*states.shape[:2], self.n_heads, -1)
        parts = self.project_in(self.before_attention(states)).chunk(3, dim=-1)
        query, key, value = (part.view(shape).transpose(1, 2) for part in parts)  # (B, heads, T, H / heads)
        attended = functional.scaled_dot_product_attention(_rotate(query), _rotate(key), value, is_causal=True)
        states = states + self.dropout(self.project_out(attended.transpose(1, 2).flatten(2)))
        updated: Tensor = states + self.dropout(self.mlp(states))
        return updated


def _rotate(vectors: Tensor) -> Tensor:
    """Turns pairs of dimensions by angles that grow with the position, (B, heads, T, C)."""
    n_steps, n_channels = vectors.shape[-2:]
    half = n_channels // 2
    rates = 10_000 ** (-torch.arange(half, device=vectors.device) / half)
    angles = torch.arange(n_steps, device=vectors.device)[:, None] * rates  # (T, C / 2)
    cosines, sines = angles.cos(), angles.sin()
    first, second = vectors[..., :half], vectors[..., half:]
    return torch.cat([first * cosines - second * sines, first * sines + second * cosines], dim=-1)
