"""A compact causal Transformer with today's good practice.

Pre-norm blocks (Xiong et al., arXiv 2002.04745), rotary positions (Su et al., 2104.09864), PyTorch's fused attention.
Training adds a linear warm-up and a cosine.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.architectures.architecture import Architecture
from pipelines.encoder.dropout import Dropout
from pipelines.encoder.shape import Shape


class Transformer(Architecture):
    """Events (B, T, E) to states (B, T, H); no state can see padding on the right, or another session."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.widen = nn.Linear(shape.event_dim, shape.hidden_dim)
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.n_layers))
        self.normalise = nn.LayerNorm(shape.hidden_dim)

    def forward(self, events: Tensor) -> Tensor:
        states = self.widen(events)
        for block in self.blocks:
            states = block(states)
        normalised: Tensor = self.normalise(states)
        return normalised


class _Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        hidden = shape.hidden_dim
        self.n_heads = shape.n_heads
        self.before_attention = nn.LayerNorm(hidden)
        self.project_in = nn.Linear(hidden, 3 * hidden)
        self.project_out = nn.Linear(hidden, hidden)
        self.mlp = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 4 * hidden), nn.GELU(), nn.Linear(4 * hidden, hidden)
        )
        self.dropout = Dropout(shape.dropout)

    def forward(self, states: Tensor) -> Tensor:  # (B, T, H) -> (B, T, H)
        shape = (*states.shape[:2], self.n_heads, states.shape[2] // self.n_heads)
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
