"""Predict the next event from the embedding of what came before it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder import arrays
from pipelines.encoder.model import Shape
from pipelines.params import Pretrain
from pipelines.pretrain.views import Seen

NO_TARGET = -100  # cross_entropy leaves it out


class NextEvent(nn.Module):
    """Cross-entropy of the next page and of the next event type, read off the prefix embedding by a linear map.

    The map is linear and sees D numbers only, so what predicts the next step must lie open in the embedding: a frozen
    linear probe finds it there. Source: autoregressive pre-training (GPT); the bottleneck is ours.
    """

    def __init__(self, shape: Shape, params: Pretrain) -> None:
        super().__init__()
        self.page = nn.Linear(shape.embedding_dim, shape.n_pages)
        self.event_type = nn.Linear(shape.embedding_dim, shape.n_event_types)

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over all events that have a predecessor."""
        before = seen.prefixes[:, :-1]
        steps = torch.arange(1, seen.prefixes.shape[1], device=before.device)
        inside = steps < seen.batch.lengths[:, None]  # (B, T - 1): the target is an event, not padding
        losses = [
            functional.cross_entropy(head(before[inside]), targets, reduction="sum", ignore_index=NO_TARGET)
            for head, field in ((self.page, arrays.PAGE), (self.event_type, arrays.EVENT_TYPE))
            for targets in [_known(seen.batch.tokens[:, 1:, field][inside])]
        ]
        return torch.stack(losses).sum() / inside.sum().clamp(min=1)


def _known(targets: Tensor) -> Tensor:
    """The targets, those that training has no token for left out."""
    return targets.masked_fill(targets <= arrays.UNKNOWN, NO_TARGET)
