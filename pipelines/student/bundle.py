"""The trained student as a folder: an ONNX graph that gives calibrated probabilities, and what turns them into intents.

- student.onnx: embeddings (N, D) -> calibrated probabilities (N, C); the calibration is folded into its weights
- calibration.json: what was folded in, slope and intercept of each intent's logit (a record; no answer depends on it)
- thresholds.json: by intent, and the probability below which no intent is named
- meta.json: version, intents in the order of the axis C, versions it descends from, provenance
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from pipelines.errors import TableError

GRAPH, CALIBRATION, THRESHOLDS, META = "student.onnx", "calibration.json", "thresholds.json", "meta.json"
ROWS_AT_ONCE: Final = 65_536  # a million sessions need a few tens of MB of hidden values at a time


@dataclass(frozen=True)
class Card:
    """What the student is, beside its network."""

    intents: Mapping[str, str]  # id: name, in the order of the axis C
    thresholds: tuple[float, ...]  # (C,)
    abstain_below: float
    taxonomy_version: str
    encoder_version: str
    calibration: Mapping[str, Mapping[str, float]]
    provenance: Mapping[str, Any]  # how it was trained: sizes, epochs, losses, seed


@dataclass(frozen=True)
class Student:
    """A calibrated multi-label classifier of session embeddings."""

    graph: bytes
    card: Card
    _runtime: onnxruntime.InferenceSession = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one thread is faster on a net this small, and sums in one order
        options.log_severity_level = 3
        runtime = onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])
        object.__setattr__(self, "_runtime", runtime)

    @property
    def intent_ids(self) -> list[str]:
        return list(self.card.intents)

    @property
    def taxonomy_version(self) -> str:
        return self.card.taxonomy_version

    @property
    def encoder_version(self) -> str:
        return self.card.encoder_version

    @property
    def embedding_dim(self) -> int:
        return int(self._runtime.get_inputs()[0].shape[1])

    @property
    def version(self) -> str:
        """A hash of all that decides an answer: the graph, the intents, the thresholds, the parents' versions."""
        decides = [dict(self.card.intents), self.card.thresholds, self.card.abstain_below]
        parents = [self.card.taxonomy_version, self.card.encoder_version]
        digest = hashlib.sha256(self.graph + json.dumps([decides, parents]).encode())
        return f"student-{digest.hexdigest()[:12]}"

    def probabilities(self, embeddings: np.ndarray) -> np.ndarray:
        """Returns calibrated probabilities, float32 (N, C), of N ``embeddings`` (N, D).

        Raises:
            TableError: the embeddings have another dimension than those the student was trained on.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.embedding_dim:
            found = "x".join(str(size) for size in embeddings.shape[1:]) or "no"
            raise TableError(
                f"embeddings have {found} dimensions, the student expects {self.embedding_dim}: re-run distill"
            )
        starts = range(0, max(len(embeddings), 1), ROWS_AT_ONCE)
        parts = [np.ascontiguousarray(embeddings[start : start + ROWS_AT_ONCE], np.float32) for start in starts]
        return np.concatenate([self._runtime.run(None, {"embeddings": part})[0] for part in parts])

    def decide(self, probabilities: np.ndarray) -> tuple[list[list[str]], np.ndarray]:
        """Returns the intents of each row of ``probabilities`` (N, C), most probable first, and who abstained, (N,).

        An intent is named when it reaches its threshold and the row's highest probability reaches ``abstain_below``;
        a row where none is named abstained.
        """
        confident = probabilities.max(axis=1, initial=0) >= self.card.abstain_below
        named = (probabilities >= np.asarray(self.card.thresholds, np.float32)) & confident[:, None]
        order = np.argsort(-probabilities, axis=1, kind="stable")
        ids = np.array(self.intent_ids, dtype=object)
        intents = [ids[row[chosen[row]]].tolist() for row, chosen in zip(order, named, strict=True)]
        return intents, ~named.any(axis=1)

    def save(self, folder: Path) -> None:
        """Writes the student to ``folder``, which must not exist yet."""
        folder.mkdir(parents=True)
        card = self.card
        thresholds = dict(zip(card.intents, card.thresholds, strict=True))
        meta = {
            "version": self.version,
            "taxonomy_version": card.taxonomy_version,
            "encoder_version": card.encoder_version,
            "intents": [{"id": intent, "name": name} for intent, name in card.intents.items()],
            "provenance": dict(card.provenance),
        }
        (folder / GRAPH).write_bytes(self.graph)
        _write_json(folder / CALIBRATION, {intent: dict(values) for intent, values in card.calibration.items()})
        _write_json(folder / THRESHOLDS, {"abstain_below": card.abstain_below, "intents": thresholds})
        _write_json(folder / META, meta)

    @classmethod
    def load(cls, folder: Path) -> "Student":
        """Returns the student that was saved in ``folder``.

        Raises:
            TableError: the folder holds no student, or files of two of them.
        """
        try:
            meta, thresholds = _read_json(folder / META), _read_json(folder / THRESHOLDS)
            card = Card(
                intents={intent["id"]: intent["name"] for intent in meta["intents"]},
                thresholds=tuple(thresholds["intents"][intent["id"]] for intent in meta["intents"]),
                abstain_below=thresholds["abstain_below"],
                taxonomy_version=meta["taxonomy_version"],
                encoder_version=meta["encoder_version"],
                calibration=_read_json(folder / CALIBRATION),
                provenance=meta["provenance"],
            )
            student = cls((folder / GRAPH).read_bytes(), card)
        except FileNotFoundError:
            raise TableError(f"{folder} holds no student: run `python -m pipelines distill` first") from None
        except (ValueError, KeyError, onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf):
            raise TableError(f"{folder} holds a damaged student: run `python -m pipelines distill` again") from None
        if student.version != meta["version"]:
            raise TableError(f"{folder} mixes files of two students: run `python -m pipelines distill` again")
        return student


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError
    return content
