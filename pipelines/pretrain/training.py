"""Training with Lightning: resumable to the bit, since the draws of a step depend on the seed and the step alone."""

import logging
import math
import sys
import warnings
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final, cast

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from pipelines.encoder.fields import Field
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.shape import Shape
from pipelines.encoder.tensors import TensorBatch
from pipelines.params import Pretrain
from pipelines.pretrain.batches import TrainingBatch, processes
from pipelines.pretrain.curves import Curves
from pipelines.pretrain.objectives import OBJECTIVES
from pipelines.pretrain.objectives.objective import Objective
from pipelines.pretrain.passes import Passes
from pipelines.pretrain.views import Hiding, Near, Seen, View
from pipelines.threads import one_thread

_PASSES_AT_ONCE: Final = 2  # there is one view beside the batch itself by default


class Training(lightning.LightningModule):
    """The encoder and its objectives, their losses summed by weight."""

    def __init__(
        self, encoder: SessionEncoder, shape: Shape, fields: Sequence[Field], params: Pretrain, seed: int
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder, self.params, self.seed = encoder, params, seed
        self.weights: dict[str, float] = {name: weight for name, weight in params.objectives.items() if weight > 0}
        self.objectives = nn.ModuleDict(
            {name: make(shape, fields, params) for name, make in OBJECTIVES.items() if name in self.weights}
        )
        self.hiding = Hiding(fields)
        self._passes = Passes(encoder, self._encode, _PASSES_AT_ONCE)

    def training_step(self, batch: TrainingBatch, batch_index: int) -> Tensor:
        torch.manual_seed(self.seed * 1_000_003 + self.global_step * self.trainer.world_size + self.global_rank)
        return self._losses(batch, "train")

    def validation_step(self, batch: TrainingBatch, batch_index: int) -> None:
        torch.manual_seed(batch_index)  # the same views in every epoch, so that epochs compare
        self._losses(batch, "valid")

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=self.params.network.learning_rate, weight_decay=self.params.weight_decay, fused=True
        )
        n_steps = int(self.trainer.estimated_stepping_batches)
        schedule = LambdaLR(optimizer, lambda step: warm_cosine(step, n_steps, self.params.warmup_share))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _encode(self, batch: TensorBatch) -> Tensor:
        return self.encoder.prefixes(batch.tokens, batch.texts)

    def backward(self, loss: Tensor) -> None:
        """Takes the gradients of ``loss`` to the weights of the objectives and of the encoder."""
        loss.backward()  # type: ignore[no-untyped-call]
        if self._side_by_side:
            self._passes.backward()

    @property
    def _side_by_side(self) -> bool:
        """Whether passes run in threads: a GPU has enough to do, and several processes sum gradients as they come."""
        return self.device.type == "cpu" and processes()[0] == 1

    def readers(self) -> list[np.ndarray]:
        """Returns the linear maps (C, D) by which the objectives read embeddings, times the root of their weights."""
        return [
            self.weights[name] ** 0.5 * reader.cpu().double().numpy()
            for name, objective in self.objectives.items()
            for reader in cast(Objective, objective).readers()
        ]

    def seen(self, sessions: TensorBatch, near: Near | None) -> dict[str, Seen]:
        """Returns what each objective sees of a batch."""
        of_fields, of_context = (
            (self.params.field_dropout, self.params.context_dropout) if self.training else (0.0, 0.0)
        )
        shown = sessions._replace(tokens=self.hiding.context(sessions.tokens, of_context))
        read = shown._replace(tokens=self.hiding(shown.tokens, of_fields))
        asked = {name: cast(Objective, one).views(shown, near) for name, one in self.objectives.items()}
        views = [read, *chain.from_iterable(asked.values())]
        encoded = iter(self._passes.forward(views) if self._side_by_side else [self._encode(view) for view in views])
        prefixes = next(encoded)
        return {
            name: Seen(sessions, prefixes, near, [View(view, next(encoded)) for view in of_objective])
            for name, of_objective in asked.items()
        }

    def _losses(self, batch: TrainingBatch, part: str) -> Tensor:
        sessions, near = batch
        seen = self.seen(sessions, near)
        losses = {name: objective(seen[name]) for name, objective in self.objectives.items()}
        total = torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
        n_sessions, together = len(sessions.lengths), self.trainer.world_size > 1
        for name, loss in (losses | {"total": total}).items():
            self.log(
                f"{part}/{name}", loss.detach(), on_step=False, on_epoch=True, batch_size=n_sessions, sync_dist=together
            )
        return total


def warm_cosine(step: int, n_steps: int, warmup_share: float) -> float:
    """Returns the share of the learning rate at ``step``: a linear warm-up, then a cosine to zero."""
    n_warm = max(1, round(warmup_share * n_steps))
    if step < n_warm:
        return (step + 1) / n_warm
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))


def fit(
    training: Training, train: DataLoader[TrainingBatch], valid: DataLoader[TrainingBatch] | None, checkpoints: Path
) -> Curves | None:
    """Trains to the last epoch, from the newest checkpoint in the folder ``checkpoints`` if there is one.

    Returns:
        The curves; None in a process that only helps another one to train.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    training.train()
    # thousands of fills an epoch; we read none of that memory
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    curves = Curves(checkpoints)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=training.params.devices,
        strategy="ddp_find_unused_parameters_true" if training.params.devices > 1 else "auto",
        use_distributed_sampler=False,  # BatchOrder deals the batches
        max_epochs=training.params.max_epochs,
        deterministic=True,
        gradient_clip_val=1.0,
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        num_sanity_val_steps=0,
        default_root_dir=checkpoints,
        callbacks=[
            curves,
            lightning.callbacks.ModelCheckpoint(checkpoints, "{epoch:04d}", save_on_train_epoch_end=True),
        ],
    )
    with warnings.catch_warnings(), one_thread():
        warnings.filterwarnings("ignore", message=".*no `val_dataloader`.*")  # data without a validation part
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # batches are made in microseconds
        warnings.filterwarnings("ignore", message=".*exists and is not empty.*")  # a resumed run's folder
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # inside Lightning 2.6
        try:
            trainer.fit(training, train, valid, ckpt_path=_newest(checkpoints))
        except SystemExit:  # Lightning's answer to Ctrl-C, without a word
            raise KeyboardInterrupt from None
    return curves if trainer.is_global_zero else None


def _newest(checkpoints: Path) -> str | None:
    found = sorted(checkpoints.glob("epoch=*.ckpt"))
    return str(found[-1]) if found else None
