"""No dimension of the embedding dies, and none repeats another."""

from collections.abc import Sequence
from typing import Final

from torch import Tensor
from torch.nn import functional

from pipelines.encoder.fields import Field
from pipelines.encoder.poolings import at_last
from pipelines.encoder.shape import Shape
from pipelines.params import Pretrain
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.views import Seen

LEAST_DEVIATION: Final = 1.0
COVARIANCE_WEIGHT: Final = 0.04
"""Of the covariance term beside the variance term: 1 to 25 (VICReg, table 7)."""


class Spread(Objective):
    """The variance and covariance terms of VICReg (Bardes et al., arXiv 2105.04906), on the embeddings of a batch.

    Departure: no invariance term, which is the contrastive objective's business, and no expander: what is kept must be
    spread itself.
    """

    def __init__(self, shape: Shape, fields: Sequence[Field], params: Pretrain) -> None:
        super().__init__()

    def forward(self, seen: Seen) -> Tensor:
        """Returns the loss of the batch; 0 of a single session, which has no variance."""
        embeddings = at_last(seen.prefixes, seen.batch.lengths)
        return self.loss(embeddings) if len(embeddings) > 1 else embeddings.sum() * 0

    def loss(self, embeddings: Tensor) -> Tensor:
        """Returns the loss of ``embeddings`` (B, D)."""
        centred = embeddings - embeddings.mean(dim=0)
        covariance = centred.T @ centred / (len(embeddings) - 1)  # (D, D)
        variances = covariance.diagonal()
        shortfall = functional.relu(LEAST_DEVIATION - (variances + 1e-4).sqrt()).mean()
        shared = (covariance.square().sum() - variances.square().sum()) / len(variances)
        return shortfall + COVARIANCE_WEIGHT * shared
