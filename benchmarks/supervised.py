"""Models that are trained on the very task: the network of an encoder, its embedding read by a linear layer."""

from dataclasses import replace

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


def gru_64(encoder: Encoder, seed: int) -> SessionEncoder:
    """Returns a GRU of 64 units whose last state is read: what one would write for the task."""
    shape = replace(encoder.shape, architecture="gru", pooling="last", hidden_dim=64, n_layers=1)
    return SessionEncoder(shape, encoder.fields, seed)


def probabilities(
    network: SessionEncoder, inputs: SessionArrays, targets: np.ndarray, n_train: int, params: Pretrain, seed: int
) -> np.ndarray:
    """Returns class probabilities of the sessions behind the first ``n_train``, which train ``network`` (in place).

    Batches, epochs, learning rate and its course are those of ``params``, as pretrain takes them.
    """
    torch.manual_seed(seed)
    head = nn.Linear(network.pool.project.out_features, int(targets.max()) + 1)
    weights = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=params.network.learning_rate, weight_decay=params.weight_decay)
    order = BatchOrder(np.arange(n_train), inputs.lengths, params.batch_size, seed)
    n_steps, step = len(order) * params.max_epochs, 0
    network.train()
    for epoch in range(params.max_epochs):
        order.set_epoch(epoch)
        for rows in order:
            for group in optimizer.param_groups:
                group["lr"] = params.network.learning_rate * warm_cosine(step, n_steps, params.warmup_share)
            wanted = torch.from_numpy(targets[rows].astype(np.int64))
            loss = functional.cross_entropy(_read(network, head, inputs, rows), wanted)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            step += 1
    network.eval()
    found = np.empty((len(inputs) - n_train, head.out_features), dtype=np.float64)
    tested = replace(inputs, offsets=inputs.offsets[n_train:])
    with torch.inference_mode():
        for rows in tested.batches(512):
            if len(rows):
                found[rows] = _read(network, head, tested, rows).double().softmax(dim=1).numpy()
    return found


def _read(network: SessionEncoder, head: nn.Linear, inputs: SessionArrays, rows: np.ndarray) -> torch.Tensor:
    batch = TensorBatch.of(inputs.batch(rows))
    read: torch.Tensor = head(at_last(network.prefixes(batch.tokens, batch.texts), batch.lengths))
    return read
