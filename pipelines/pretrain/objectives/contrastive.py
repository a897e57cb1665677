"""Two views of one session should embed alike, those of other sessions apart."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.fields import Field, columns_of
from pipelines.encoder.poolings import at_last
from pipelines.encoder.shape import Shape
from pipelines.encoder.tensors import TensorBatch
from pipelines.params import Pretrain
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.views import Hiding, Near, Seen


class Contrastive(Objective):
    """InfoNCE between two views of each session (van den Oord et al., arXiv 1807.03748; head of SimCLR, 2002.05709).

    The batch as it was read, some fields hidden, is one view; events left out and more fields hidden make the other:
    slices, as CoLES takes them (Babaev et al., 2002.08232), are all but equal where sessions are short. Departure:
    sessions whose pages are the same, one by one, are no negatives of each other. Half of all web sessions are a
    single page, so pushing equals apart would be most of the loss.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()
        self.head = projection(shape.embedding_dim)
        self.hiding = Hiding(fields)
        self.pages = page_columns(fields)
        self.event_dropout, self.field_dropout = params.event_dropout, params.field_dropout
        self.temperature = params.temperature

    def views(self, batch: TensorBatch, near: Near | None) -> list[TensorBatch]:
        return [self.hiding.view(batch, self.event_dropout, self.field_dropout)]

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over the batch, both ways."""
        other, prefixes = seen.views[0]
        ends = at_last(seen.prefixes, seen.batch.lengths), at_last(prefixes, other.lengths)
        first, second = (functional.normalize(self.head(end), dim=-1) for end in ends)  # (B, D)
        return info_nce(first, second, same_pages(seen.batch.tokens[..., self.pages]), self.temperature)


def projection(width: int) -> nn.Module:
    """Returns what views are compared through, and dropped after training: SimCLR's head, an MLP."""
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


def info_nce(first: Tensor, second: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Returns the loss of unit vectors (B, D) each; ``same`` (B, B) marks pairs that are no negatives."""
    similarities = first @ second.T / temperature
    similarities = similarities.masked_fill(same.fill_diagonal_(False), -torch.inf)
    targets = torch.arange(len(similarities), device=similarities.device)
    both = functional.cross_entropy(similarities, targets) + functional.cross_entropy(similarities.T, targets)
    return both / 2


def same_pages(pages: Tensor) -> Tensor:
    """Returns which pairs of sessions, (B, B), show the same ``pages`` (B, T, K) in the same order."""
    return (pages[:, None] == pages[None]).all(dim=-1).all(dim=-1)


def page_columns(fields: Sequence[Field]) -> list[int]:
    """Returns the token columns that tell pages apart."""
    columns = columns_of(fields)
    return [columns[one.name].start for one in fields if one.column == "page"]
