"""What the encoder is trained on: one file and one line here an objective, weighted by ``pretrain.objectives``."""

from typing import Final

from pipelines.pretrain.objectives.contrastive import Contrastive
from pipelines.pretrain.objectives.next_event import NextEvent

OBJECTIVES: Final = {"next_event": NextEvent, "contrastive": Contrastive}
