"""Passes side by side: the gradients of one backward pass, the same bits whatever the number of threads."""

import pytest
import torch
from networks import FIELDS, draw_texts, draw_tokens, shape
from torch import Tensor

from pipelines.encoder.architectures import ARCHITECTURES
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.tensors import TensorBatch
from pipelines.pretrain.passes import Passes


def views_of(n_views: int) -> list[TensorBatch]:
    return [TensorBatch(draw_tokens(9, 4, seed), torch.full((9,), 4), draw_texts()) for seed in range(n_views)]


def loss_of(prefixes: list[Tensor]) -> Tensor:
    return torch.stack([(1 + place) * one.square().sum() for place, one in enumerate(prefixes)]).sum()


def gradients_by(architecture: str, n_threads: int, dropout: float) -> list[Tensor]:
    small = shape(architecture, dropout=dropout)
    encoder = SessionEncoder(small, FIELDS, 1).train()
    passes = Passes(encoder, lambda view: encoder.prefixes(view.tokens, view.texts), n_threads)
    torch.manual_seed(3)
    loss_of(passes.forward(views_of(3))).backward()  # type: ignore[no-untyped-call]
    passes.backward()
    return [weight.grad for weight in encoder.parameters() if weight.grad is not None]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_those_of_one_backward_pass(architecture: str) -> None:
    encoder = SessionEncoder(shape(architecture, dropout=0.0), FIELDS, 1)
    loss_of([encoder.prefixes(view.tokens, view.texts) for view in views_of(3)]).backward()  # type: ignore[no-untyped-call]
    wanted = [weight.grad for weight in encoder.parameters() if weight.grad is not None]
    found = gradients_by(architecture, 2, dropout=0.0)
    assert len(found) == len(wanted) > 5
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_number_of_threads_changes_no_bit(architecture: str) -> None:
    alone = gradients_by(architecture, 1, dropout=0.3)
    for n_threads in (2, 3):
        together = gradients_by(architecture, n_threads, dropout=0.3)
        assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_no_gradient_is_kept_where_none_is_asked_for() -> None:
    encoder = SessionEncoder(shape(dropout=0.0), FIELDS, 1).eval()
    passes = Passes(encoder, lambda view: encoder.prefixes(view.tokens, view.texts), 2)
    with torch.inference_mode():
        (prefixes,) = passes.forward(views_of(1))
    assert not prefixes.requires_grad
    passes.backward()
    assert all(weight.grad is None for weight in encoder.parameters())


def test_what_goes_wrong_in_a_pass_is_raised() -> None:
    encoder = SessionEncoder(shape(), FIELDS, 1)

    def encode(view: TensorBatch) -> Tensor:
        raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        Passes(encoder, encode, 2).forward(views_of(2))
