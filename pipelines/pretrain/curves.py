"""Training curves by DVCLive: whole after a resume too, since the history travels in the checkpoint."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from dvclive import Live


class Curves(lightning.Callback):
    """Writes every epoch's losses below ``folder``, and says them in a plain line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "live"
        self.history: list[dict[str, float]] = []

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Starts the curves anew, with the epochs of an interrupted run in them."""
        if not trainer.is_global_zero:  # of several processes one writes
            return
        with tempfile.TemporaryDirectory() as outside, contextlib.chdir(outside):
            # Live makes the git repository it stands in a DVC one, and asks DVC for an experiment: we want files only
            self.live = Live(str(self.folder), save_dvc_exp=False, report=None, dvcyaml=None)
        for losses in self.history:
            self._write(losses)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Adds the epoch that ends."""
        losses = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.history.append(losses)
        if not trainer.is_global_zero:
            return
        self._write(losses)
        said = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
        print(f"pretrain: epoch {len(self.history)} of {trainer.max_epochs}: {said}", flush=True)

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])

    def copy_to(self, folder: Path) -> None:
        """Copies the curves, one ``<part>/<loss>.tsv`` a metric, to ``folder``."""
        self.live.end()
        shutil.copytree(self.folder / "plots" / "metrics", folder)

    def _write(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self.live.log_metric(name, value)
        self.live.next_step()
