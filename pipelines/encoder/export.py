"""The session encoder as an ONNX graph, so that scoring needs no torch.

Axis legend: B sessions, T events, K distinct events, C token columns, D embedding, U pages in a batch.
"""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import onnx
import torch

from pipelines.encoder.fields import Field
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.shape import Shape

OPSET: Final = 17
INPUTS: Final = {"events": ("K",), "places": ("B", "T"), "lengths": ("B",), "texts": ("U",)}
"""The graph's inputs, and which of their leading axes may have any size."""
VERSION: Final = "encoder_version"  # in the graph's metadata: which weights it was made from


def onnx_bytes(encoder: SessionEncoder, shape: Shape, fields: Sequence[Field], version: str) -> bytes:
    """Returns the graph of INPUTS -> ``embeddings`` (B, D), marked with ``version``; same weights, same bytes."""
    events, places = torch.ones(4, sum(one.width for one in fields), dtype=torch.int64), torch.ones(3, 5).long()
    example = (events, places, torch.tensor([5, 2, 1]), torch.ones(4, shape.text_dim))
    was_training = encoder.training
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's remarks on itself; that the graph agrees, the caller checks
        file = Path(folder) / "encoder.onnx"
        torch.onnx.export(
            encoder.eval(),
            example,
            file,
            input_names=list(INPUTS),
            output_names=["embeddings"],
            dynamic_axes={name: dict(enumerate(axes)) for name, axes in INPUTS.items()} | {"embeddings": {0: "B"}},
            opset_version=OPSET,
            dynamo=False,
        )
        graph = onnx.load(file)
    encoder.train(was_training)
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = shape.embedding_dim  # lost on the way
    onnx.helper.set_model_props(graph, {VERSION: version})
    return bytes(graph.SerializeToString(deterministic=True))
