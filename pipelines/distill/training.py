"""The student's training: a small perceptron on the frozen embedding, soft targets, the best epoch by validation.

Source: soft targets by binary cross-entropy, after Hinton, Vinyals & Dean 2015 (1503.02531); the teacher's scores are
probabilities already, so there is no temperature.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from pipelines.distill.examples import Examples
from pipelines.params import Distill
from pipelines.student.graph import Layers


@dataclass(frozen=True)
class Trained:
    """Layers for raw embeddings, uncalibrated, and how they came about."""

    layers: Layers
    valid_logits: np.ndarray  # float32 (N, C), of the validation part
    best_epoch: int  # 1-based
    valid_loss: float


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread and a seed of its own for torch; both are as before afterwards."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order: the same bytes on one core or many
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(n_threads)


def perceptron(n_inputs: int, n_hidden: int, base_rates: torch.Tensor) -> nn.Sequential:
    """Returns the untrained network; its first answers are near the base rates (C,)."""
    output = nn.Linear(n_hidden, len(base_rates))
    with torch.no_grad():
        output.bias.copy_(torch.logit(base_rates.clamp(1e-3, 1 - 1e-3)))
    return nn.Sequential(nn.Linear(n_inputs, n_hidden), nn.ReLU(), output)


def fit(train: Examples, valid: Examples, params: Distill, seed: int) -> Trained:
    """Returns the network of the epoch with the least validation loss."""
    mean = train.embeddings.mean(axis=0)
    deviation = np.maximum(train.embeddings.std(axis=0), 1e-6)
    with reproducible(seed):
        inputs, targets = _tensors(train, mean, deviation)
        valid_inputs, valid_targets = _tensors(valid, mean, deviation)
        network = perceptron(inputs.shape[1], params.hidden_dim, targets.mean(dim=0))
        optimizer = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
        best_loss, best_epoch, best_state = float("inf"), 0, network.state_dict()
        for epoch in range(1, params.max_epochs + 1):
            train_epoch(network, optimizer, inputs, targets, params.batch_size)
            with torch.no_grad():
                valid_loss = float(functional.binary_cross_entropy_with_logits(network(valid_inputs), valid_targets))
            if valid_loss < best_loss:
                best_loss, best_epoch, best_state = valid_loss, epoch, copy.deepcopy(network.state_dict())
        network.load_state_dict(best_state)
        with torch.no_grad():
            valid_logits = network(valid_inputs).numpy()
    return Trained(layers(network).standardized(mean, deviation), valid_logits, best_epoch, best_loss)


def train_epoch(
    network: nn.Sequential,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    batch_size: int,
) -> None:
    """Takes one pass over the sessions in an order drawn from torch's seed."""
    order = torch.randperm(len(inputs))
    for start in range(0, len(inputs), batch_size):
        rows = order[start : start + batch_size]
        loss = functional.binary_cross_entropy_with_logits(network(inputs[rows]), targets[rows])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def layers(network: nn.Sequential) -> Layers:
    """Returns the weights of ``network``, as the student's graph holds them."""
    hidden_weight, hidden_bias, output_weight, output_bias = (
        weight.detach().numpy() for weight in network.parameters()
    )
    return Layers(hidden_weight.T, hidden_bias, output_weight.T, output_bias)


def _tensors(examples: Examples, mean: np.ndarray, deviation: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy((examples.embeddings - mean) / deviation), torch.from_numpy(examples.scores)
