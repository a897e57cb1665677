"""The student's network as an ONNX graph, put together node by node: the same weights give the same bytes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET: Final = 17  # old enough for any runtime of the last years; a graph this plain gains nothing from a newer one
IR_VERSION: Final = 8


@dataclass(frozen=True)
class Layers:
    """The weights of embedding (D) -> hidden (H) -> calibrated logits (C), float32; biases are 1-d."""

    hidden_weight: np.ndarray  # (D, H)
    hidden_bias: np.ndarray
    output_weight: np.ndarray  # (H, C)
    output_bias: np.ndarray

    def standardized(self, mean: np.ndarray, deviation: np.ndarray) -> "Layers":
        """Returns layers for raw embeddings, where these expect (embedding - mean) / deviation."""
        weight = self.hidden_weight / deviation[:, None]
        return Layers(weight, self.hidden_bias - mean @ weight, self.output_weight, self.output_bias)

    def calibrated(self, slopes: np.ndarray, intercepts: np.ndarray) -> "Layers":
        """Returns layers whose logits are slope * logit + intercept, label by label."""
        bias = self.output_bias * slopes + intercepts
        return Layers(self.hidden_weight, self.hidden_bias, self.output_weight * slopes, bias)


def onnx_bytes(layers: Layers) -> bytes:
    """Returns the graph ``embeddings`` (N, D) -> ``probabilities`` (N, C): sigmoid(relu(x W + b) V + c)."""
    weights = {
        "hidden_weight": layers.hidden_weight,
        "hidden_bias": layers.hidden_bias,
        "output_weight": layers.output_weight,
        "output_bias": layers.output_bias,
    }
    nodes = [
        helper.make_node("Gemm", ["embeddings", "hidden_weight", "hidden_bias"], ["summed"]),
        helper.make_node("Relu", ["summed"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "output_weight", "output_bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    n_inputs, n_outputs = layers.hidden_weight.shape[0], layers.output_weight.shape[1]
    graph = helper.make_graph(
        nodes,
        "student",
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["N", n_inputs])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", n_outputs])],
        [numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
