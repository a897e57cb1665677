"""A padded batch as tensors."""

from typing import NamedTuple

import torch
from torch import Tensor

from pipelines.encoder.arrays import PaddedBatch


class TensorBatch(NamedTuple):
    """arrays.PaddedBatch for the network."""

    tokens: Tensor  # (B, T, C) int64
    lengths: Tensor  # (B,) int64
    texts: Tensor  # (U + 1, text_dim) float32

    @classmethod
    def of(cls, batch: PaddedBatch) -> "TensorBatch":
        """Returns ``batch`` as tensors that share its memory."""
        return cls(*(torch.from_numpy(part) for part in batch))

    @property
    def inside(self) -> Tensor:
        """Which steps are events, not padding: (B, T)."""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device) < self.lengths[:, None]
