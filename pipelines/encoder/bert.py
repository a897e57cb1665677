"""A sentence model of the BERT family as an ONNX graph, put together from its weights, without torch.

Axis legend: B texts, T word pieces of the longest, H hidden, A attention heads.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET: Final = 17  # the first with LayerNormalization
IR_VERSION: Final = 8
FIRST_POSITION: Final = {"bert": 0, "roberta": 2, "xlm-roberta": 2}
"""By model type, the row of the position table that the first word piece reads: RoBERTa's begins behind its padding."""
_MASKED: Final = float(np.finfo(np.float32).min)


def onnx_bytes(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> bytes:
    """Returns the graph ``input_ids``, ``attention_mask`` (B, T) int64 -> ``states`` (B, T, H).

    Source: Devlin et al., arXiv 1810.04805, as its released weights are named.

    Args:
        config: the model's config.json, its ``model_type`` one of FIRST_POSITION.
        weights: by name, without a prefix such as ``bert.``.
    """
    graph = _Graph({name: np.asarray(array, np.float32) for name, array in weights.items()}, config)
    states = graph.embedded()
    mask = graph.additive_mask()
    for layer in range(config["num_hidden_layers"]):
        states = graph.layer(f"encoder.layer.{layer}", states, mask)
    graph.node("Identity", [states], "states")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_model",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["B", "T"]) for name in graph.INPUTS],
            [helper.make_tensor_value_info("states", TensorProto.FLOAT, ["B", "T", config["hidden_size"]])],
            [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes in the making; a method adds some and returns the name of what they compute."""

    INPUTS = ("input_ids", "attention_mask")

    def __init__(self, weights: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> None:
        self.weights, self.config = weights, config
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[name] = value
        return name

    def whole(self, name: str, *values: int) -> str:
        return self.constant(name, np.array(values, np.int64))

    def embedded(self) -> str:
        """The sum of word, position and segment, normalised, (B, T, H)."""
        first = FIRST_POSITION[self.config["model_type"]]
        length = self.node("Slice", [self.node("Shape", ["input_ids"]), self.whole("one", 1), self.whole("two", 2)])
        end = self.node("Add", [length, self.whole("first_position", first)])
        words = self.node("Gather", [self._weight("embeddings.word_embeddings.weight"), "input_ids"])
        positions = self.node(
            "Slice",
            [self._weight("embeddings.position_embeddings.weight"), "first_position", end, self.whole("zero", 0)],
        )
        segment = self.constant("segment", self.weights["embeddings.token_type_embeddings.weight"][0])
        summed = self.node("Add", [self.node("Add", [words, segment]), positions])
        return self._normalised("embeddings.LayerNorm", summed)

    def additive_mask(self) -> str:
        """(B, 1, 1, T): nothing for word pieces, the lowest number for padding."""
        kept = self.node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
        dropped = self.node("Sub", [self.constant("unit", np.array(1, np.float32)), kept])
        lowest = self.node("Mul", [dropped, self.constant("masked", np.array(_MASKED, np.float32))])
        return self.node("Unsqueeze", [lowest, self.whole("inner", 1, 2)])

    def layer(self, name: str, states: str, mask: str) -> str:
        """Post-norm attention and MLP."""
        attended = self._linear(
            f"{name}.attention.output.dense", self._attention(f"{name}.attention.self", states, mask)
        )
        states = self._normalised(f"{name}.attention.output.LayerNorm", self.node("Add", [attended, states]))
        inner = self._gelu(self._linear(f"{name}.intermediate.dense", states))
        outer = self._linear(f"{name}.output.dense", inner)
        return self._normalised(f"{name}.output.LayerNorm", self.node("Add", [outer, states]))

    def _attention(self, name: str, states: str, mask: str) -> str:
        n_heads, hidden = self.config["num_attention_heads"], self.config["hidden_size"]
        split = self.whole("split_heads", 0, 0, n_heads, hidden // n_heads)
        joined = self.whole("join_heads", 0, 0, hidden)
        query, key, value = (
            self.node("Transpose", [self.node("Reshape", [self._linear(f"{name}.{part}", states), split])], perm=order)
            for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scale = self.constant("scale", np.array((hidden // n_heads) ** -0.5, np.float32))
        scores = self.node("Add", [self.node("Mul", [self.node("MatMul", [query, key]), scale]), mask])  # (B, A, T, T)
        mixed = self.node("MatMul", [self.node("Softmax", [scores], axis=-1), value])
        return self.node("Reshape", [self.node("Transpose", [mixed], perm=[0, 2, 1, 3]), joined])

    def _linear(self, name: str, states: str) -> str:
        weight = self.constant(f"{name}.transposed", self.weights[f"{name}.weight"].T)
        return self.node("Add", [self.node("MatMul", [states, weight]), self._weight(f"{name}.bias")])

    def _gelu(self, states: str) -> str:
        root = self.node("Div", [states, self.constant("root", np.array(2**0.5, np.float32))])
        share = self.node("Add", [self.node("Erf", [root]), self.constant("unit", np.array(1, np.float32))])
        return self.node("Mul", [self.node("Mul", [states, share]), self.constant("half", np.array(0.5, np.float32))])

    def _normalised(self, name: str, states: str) -> str:
        inputs = [states, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        return self.node("LayerNormalization", inputs, axis=-1, epsilon=float(self.config["layer_norm_eps"]))

    def _weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])
