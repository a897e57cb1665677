"""Models that are trained on the very task: the network of an encoder, its embedding read by a linear layer."""

import copy
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipelines.encoder import Encoder
from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.poolings import at_last
from pipelines.encoder.tensors import TensorBatch
from pipelines.params import Pretrain
from pipelines.pretrain.batches import BatchOrder
from pipelines.pretrain.training import warm_cosine
from pipelines.threads import one_thread

SHARES: Final = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Of pretrain's epochs, that are tried."""
HELD_OUT: Final = 10
"""Every so many-th training session says which of them is best; the model is then trained on all."""


def gru_64(encoder: Encoder, seed: int) -> SessionEncoder:
    """Returns a GRU of 64 units whose last state is read: what one would write for the task."""
    shape = replace(encoder.shape, architecture="gru", pooling="last", hidden_dim=64, n_layers=1)
    return SessionEncoder(shape, encoder.fields, seed)


def probabilities(
    network: SessionEncoder, inputs: SessionArrays, targets: np.ndarray, n_train: int, params: Pretrain, seed: int
) -> np.ndarray:
    """Returns class probabilities of the sessions behind the first ``n_train``, which train ``network`` (in place).

    Batches, learning rate and its course are those of ``params``, as pretrain takes them. Epochs are as many of its
    ``max_epochs`` as serve the task best: a model trained on it learns it by heart before pretrain is done.
    """
    everyone = np.arange(n_train)
    held_out = everyone % HELD_OUT == 0
    losses = {}
    for n_epochs in sorted({max(1, round(share * params.max_epochs)) for share in SHARES}):
        tried = copy.deepcopy(network)
        head = _trained(tried, inputs, targets, everyone[~held_out], n_epochs, params, seed)
        said = _said(tried, head, inputs, everyone[held_out])
        losses[n_epochs] = -float(np.log(said[np.arange(len(said)), targets[:n_train][held_out]]).mean())
    best = min(losses, key=lambda n_epochs: losses[n_epochs])
    print(f"supervised: {best} epochs, of {', '.join(f'{n} ({loss:.4f})' for n, loss in losses.items())}", flush=True)
    head = _trained(network, inputs, targets, everyone, best, params, seed)
    return _said(network, head, inputs, np.arange(n_train, len(inputs)))


def _trained(
    network: SessionEncoder, inputs: SessionArrays, targets: np.ndarray, rows: np.ndarray, n_epochs: int,
    params: Pretrain, seed: int,
) -> nn.Linear:  # fmt: skip
    """Trains ``network`` on the sessions ``rows``, in place; returns the layer that reads it."""
    torch.manual_seed(seed)
    head = nn.Linear(network.pool.project.out_features, int(targets.max()) + 1)
    weights = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=params.network.learning_rate, weight_decay=params.weight_decay)
    order = BatchOrder(rows, inputs.lengths, params.batch_size, seed)
    n_steps, step = len(order) * n_epochs, 0
    network.train()
    with one_thread():
        for epoch in range(n_epochs):
            order.set_epoch(epoch)
            for batch in order:
                for group in optimizer.param_groups:
                    group["lr"] = params.network.learning_rate * warm_cosine(step, n_steps, params.warmup_share)
                wanted = torch.from_numpy(targets[batch].astype(np.int64))
                loss = functional.cross_entropy(_read(network, head, inputs, batch), wanted)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                step += 1
    network.eval()
    return head


def _said(network: SessionEncoder, head: nn.Linear, inputs: SessionArrays, rows: np.ndarray) -> np.ndarray:
    """Returns class probabilities (K, C) of the sessions ``rows`` (K,)."""
    found = np.empty((len(rows), head.out_features), dtype=np.float64)
    by_length = np.argsort(inputs.lengths[rows], kind="stable")
    with torch.inference_mode():
        for places in np.split(by_length, range(512, len(rows), 512)):
            found[places] = _read(network, head, inputs, rows[places]).double().softmax(dim=1).numpy()
    return found


def _read(network: SessionEncoder, head: nn.Linear, inputs: SessionArrays, rows: np.ndarray) -> torch.Tensor:
    batch = TensorBatch.of(inputs.batch(rows))
    read: torch.Tensor = head(at_last(network.prefixes(batch.tokens, batch.texts), batch.lengths))
    return read
