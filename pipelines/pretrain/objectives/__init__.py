"""What the encoder is trained on: one file and one line here an objective, weighted by ``pretrain.objectives``.

Each is made from (Shape, fields, Pretrain) and maps a views.Seen to its loss.
"""

from collections.abc import Callable, Sequence
from typing import Final

from pipelines.encoder.fields import Field
from pipelines.encoder.shape import Shape
from pipelines.params import Pretrain
from pipelines.pretrain.objectives.contrastive import Contrastive
from pipelines.pretrain.objectives.masked_events import MaskedEvents
from pipelines.pretrain.objectives.neighbours import Neighbours
from pipelines.pretrain.objectives.next_event import NextEvent
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.objectives.spread import Spread
from pipelines.pretrain.objectives.whole_session import WholeSession

OBJECTIVES: Final[dict[str, Callable[[Shape, Sequence[Field], Pretrain], Objective]]] = {
    "next_event": NextEvent,
    "whole_session": WholeSession,
    "masked_events": MaskedEvents,
    "contrastive": Contrastive,
    "neighbours": Neighbours,
    "spread": Spread,
}
