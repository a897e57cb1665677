"""The student's network as an ONNX graph, put together node by node: the same weights give the same bytes.

Scaling of the embedding and calibration of the logits are folded into the weights, so one run of the graph gives
calibrated probabilities. What cannot be folded, the bends of a calibration curve, is a small layer of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from pipelines.student.curve import Curve

OPSET: Final = 17  # old enough for any runtime of the last years; a graph this plain gains nothing from a newer one
IR_VERSION: Final = 8


@dataclass(frozen=True)
class Affine:
    """x W + b."""

    weight: np.ndarray  # (inputs, outputs)
    bias: np.ndarray  # (outputs,)


@dataclass(frozen=True)
class Layers:
    """embedding (D) -> hidden layers, each followed by relu -> calibrated logits (C).

    Without a hidden layer it is logistic regression. ``bends`` (J) are relu(logits W + b), and ``mixing`` (J, C) says
    how much each of them adds to each logit: read off the C logits, hundreds of bends cost less than the hidden layer.
    """

    hidden: tuple[Affine, ...]
    output: Affine
    bends: Affine | None = None
    mixing: np.ndarray | None = None

    def standardized(self, mean: np.ndarray, deviation: np.ndarray) -> "Layers":
        """Returns layers for raw embeddings, where these expect (embedding - mean) / deviation."""
        first = self.hidden[0] if self.hidden else self.output
        weight = first.weight / deviation[:, None]
        scaled = Affine(weight, first.bias - mean @ weight)
        if self.hidden:
            return replace(self, hidden=(scaled, *self.hidden[1:]))
        return replace(self, output=scaled)

    def calibrated(self, curves: Sequence[Curve]) -> "Layers":
        """Returns layers whose logit of label c is ``curves[c]`` of the logit that these give."""
        slopes, intercepts = (np.array([getattr(curve, name) for curve in curves]) for name in ("slope", "intercept"))
        output = Affine(self.output.weight * slopes, self.output.bias * slopes + intercepts)
        labels = [label for label, curve in enumerate(curves) for _ in curve.knots]
        if not labels:
            return Layers(self.hidden, output)
        knots = np.array([knot for curve in curves for knot in curve.knots])
        mixing = np.zeros((len(labels), len(curves)))
        mixing[np.arange(len(labels)), labels] = [bend for curve in curves for bend in curve.bends]
        own = np.zeros((len(curves), len(labels)))  # the logit as trained, out of the one that slope and intercept made
        own[labels, np.arange(len(labels))] = 1 / slopes[labels]
        bends = Affine(own, -intercepts[labels] / slopes[labels] - knots)
        return Layers(self.hidden, output, bends, mixing)


def onnx_bytes(layers: Layers) -> bytes:
    """Returns the graph ``embeddings`` (N, D) -> ``probabilities`` (N, C)."""
    nodes: list[NodeProto] = []
    weights: dict[str, np.ndarray] = {}
    last = "embeddings"
    for number, affine in enumerate(layers.hidden, start=1):
        last = _relu(nodes, weights, last, f"hidden_{number}", affine)
    weights |= {"output_weight": layers.output.weight, "output_bias": layers.output.bias}
    nodes.append(helper.make_node("Gemm", [last, "output_weight", "output_bias"], ["logits"]))
    if layers.bends is not None and layers.mixing is not None:
        bent = _relu(nodes, weights, "logits", "bends", layers.bends)
        weights["mixing"] = layers.mixing
        nodes.append(helper.make_node("Gemm", [bent, "mixing", "logits"], ["bent_logits"]))
    nodes.append(helper.make_node("Sigmoid", [nodes[-1].output[0]], ["probabilities"]))
    first = layers.hidden[0] if layers.hidden else layers.output
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", first.weight.shape[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", layers.output.weight.shape[1]])],
        [numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _relu(nodes: list[NodeProto], weights: dict[str, np.ndarray], before: str, name: str, affine: Affine) -> str:
    """Adds relu(``before`` W + b); returns what its output is called."""
    weights |= {f"{name}_weight": affine.weight, f"{name}_bias": affine.bias}
    nodes.append(helper.make_node("Gemm", [before, f"{name}_weight", f"{name}_bias"], [f"{name}_summed"]))
    nodes.append(helper.make_node("Relu", [f"{name}_summed"], [name]))
    return name
