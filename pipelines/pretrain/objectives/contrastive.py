"""Two views of one session should embed alike, those of other sessions apart."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder import arrays
from pipelines.encoder.arrays import PaddedBatch
from pipelines.encoder.model import Shape, at_last
from pipelines.params import Pretrain
from pipelines.pretrain.views import Seen, view


class Contrastive(nn.Module):
    """InfoNCE between two views of each session (van den Oord et al., arXiv 1807.03748; head of SimCLR, 2002.05709).

    Departure: sessions whose pages are the same, one by one, are no negatives of each other. Half of all web sessions
    are a single page, so pushing equals apart would be most of the loss.
    """

    def __init__(self, shape: Shape, params: Pretrain) -> None:
        super().__init__()
        width = shape.embedding_dim
        self.head = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.event_dropout, self.field_dropout = params.event_dropout, params.field_dropout
        self.temperature = params.temperature

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over the batch, both ways; the batch as it was read is the first view."""
        other = view(seen.batch, self.event_dropout, self.field_dropout)
        ends = at_last(seen.prefixes, seen.batch.lengths), at_last(seen.encode(other.tokens), other.lengths)
        first, second = (functional.normalize(self.head(end), dim=-1) for end in ends)  # (B, D)
        return self.loss(first, second, same_pages(seen.batch))

    def loss(self, first: Tensor, second: Tensor, same: Tensor) -> Tensor:
        """Returns the loss of unit vectors (B, D) each; ``same`` (B, B) marks pairs that are no negatives."""
        similarities = first @ second.T / self.temperature
        similarities = similarities.masked_fill(same.fill_diagonal_(False), -torch.inf)
        targets = torch.arange(len(similarities), device=similarities.device)
        both = functional.cross_entropy(similarities, targets) + functional.cross_entropy(similarities.T, targets)
        return both / 2


def same_pages(batch: PaddedBatch) -> Tensor:
    """Returns which pairs of sessions, (B, B), show the same pages in the same order."""
    pages = batch.tokens[:, :, arrays.TEXT]
    return (pages[:, None] == pages[None]).all(dim=-1)
