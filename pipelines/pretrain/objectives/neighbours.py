"""Two sessions of one visitor within a week should embed alike, those of other visitors apart."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from pipelines.encoder.fields import Field
from pipelines.encoder.poolings import at_last
from pipelines.encoder.shape import Shape
from pipelines.params import Pretrain
from pipelines.pretrain.objectives.contrastive import info_nce, page_columns, projection, same_pages
from pipelines.pretrain.views import Hiding, Seen


class Neighbours(nn.Module):
    """InfoNCE between a session and the next of the same visitor on the same channel.

    Source: CoLES (Babaev et al., arXiv 2002.08232), with whole sessions for its slices of one long history. What is
    like an identity (times, referrer) is hidden in half of the events of both, so that content must tell.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()
        self.head = projection(shape.embedding_dim)
        self.hiding = Hiding(fields)
        self.pages = page_columns(fields)
        self.field_dropout, self.temperature = params.field_dropout, params.temperature

    def forward(self, seen: Seen) -> Tensor:
        """Returns the mean loss over the sessions that have a neighbour, both ways; 0 where fewer than two have."""
        if seen.near is None or len(seen.near.rows) < 2:
            return seen.prefixes.sum() * 0
        tokens, lengths = seen.batch.tokens[seen.near.rows], seen.batch.lengths[seen.near.rows]
        own = seen.batch._replace(tokens=tokens, lengths=lengths)
        views = [self.hiding.view(batch, 0.0, self.field_dropout) for batch in (own, seen.near.batch)]
        first, second = (
            functional.normalize(self.head(at_last(seen.encode(view), view.lengths)), dim=-1) for view in views
        )
        return info_nce(first, second, same_pages(tokens[..., self.pages]), self.temperature)
