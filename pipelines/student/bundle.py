"""The trained student as a folder: an ONNX graph that gives calibrated probabilities, and what turns them into intents.

- student.onnx: embeddings (N, D) -> calibrated probabilities (N, C); the calibration is folded into its weights
- calibration.json: what was folded in, the curve of each intent's logit (a record; no answer depends on it)
- thresholds.json: by intent, and the probability below which no intent is named
- meta.json: version, intents in the order of the axis C, versions it descends from, provenance
"""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import pyarrow as pa

from pipelines.errors import TableError
from pipelines.student.curve import Curve

GRAPH, CALIBRATION, THRESHOLDS, META = "student.onnx", "calibration.json", "thresholds.json", "meta.json"
ROWS_AT_ONCE: Final = 2_048  # the hidden values of so many sessions stay in a core's cache
N_THREADS: Final = 2  # each takes whole blocks, so that the answers do not depend on their number


@dataclass(frozen=True)
class Card:
    """What the student is, beside its network."""

    intents: Mapping[str, str]  # id: name, in the order of the axis C
    thresholds: tuple[float, ...]  # (C,)
    abstain_below: float
    taxonomy_version: str
    encoder_version: str
    calibration: Mapping[str, Curve]
    provenance: Mapping[str, Any]  # how it was trained: networks, sizes, losses, seed


def inference(graph: bytes) -> onnxruntime.InferenceSession:
    """Returns a runtime of ``graph`` on one thread: faster on a net this small, and it sums in one order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class Student:
    """A calibrated multi-label classifier of session embeddings."""

    graph: bytes
    card: Card
    embedding_dim: int = field(init=False)
    _runtime: onnxruntime.InferenceSession = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        runtime = inference(self.graph)
        object.__setattr__(self, "_runtime", runtime)
        object.__setattr__(self, "embedding_dim", int(runtime.get_inputs()[0].shape[1]))

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
            size = "x".join(str(size) for size in embeddings.shape[1:]) or "no"
            raise TableError(
                f"embeddings have {size} dimensions, the student expects {self.embedding_dim}: re-run distill"
            )
        rows = np.ascontiguousarray(embeddings, np.float32)
        found = np.empty((len(rows), len(self.card.intents)), np.float32)

        def fill(start: int) -> None:
            end = start + ROWS_AT_ONCE
            found[start:end] = self._runtime.run(None, {"embeddings": rows[start:end]})[0]

        if len(rows) <= ROWS_AT_ONCE:
            fill(0)
        else:
            with ThreadPoolExecutor(N_THREADS) as threads:
                list(threads.map(fill, range(0, len(rows), ROWS_AT_ONCE)))
        return found

    def named(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns which intents are named, bool (N, C), by ``probabilities`` (N, C).

        An intent is named when it reaches its threshold and the row's highest probability reaches ``abstain_below``; a
        row where none is named abstained.
        """
        confident = probabilities.max(axis=1, initial=0) >= np.float32(self.card.abstain_below)
        return np.asarray((probabilities >= np.asarray(self.card.thresholds, np.float32)) & confident[:, None])

    def intents(self, probabilities: np.ndarray) -> pa.ListArray:
        """Returns the ids of the named intents of each row of ``probabilities`` (N, C), most probable first."""
        rows, labels = np.nonzero(self.named(probabilities))
        order = np.lexsort((-probabilities[rows, labels], rows))
        offsets = np.searchsorted(rows, np.arange(len(probabilities) + 1)).astype(np.int32)
        ids = pa.array(self.intent_ids, pa.string()).take(pa.array(labels[order]))
        return pa.ListArray.from_arrays(pa.array(offsets), ids)

    def decide(self, probabilities: np.ndarray) -> tuple[list[list[str]], np.ndarray]:
        """Returns ``intents`` as lists, and who abstained, (N,)."""
        intents: list[list[str]] = self.intents(probabilities).to_pylist()
        return intents, np.array([not given for given in intents], dtype=bool)

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
        _write_json(folder / CALIBRATION, {intent: asdict(curve) for intent, curve in card.calibration.items()})
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
                calibration={intent: _curve(values) for intent, values in _read_json(folder / CALIBRATION).items()},
                provenance=meta["provenance"],
            )
            student = cls((folder / GRAPH).read_bytes(), card)
        except FileNotFoundError:
            raise TableError(f"{folder} holds no student: run `python -m pipelines distill` first") from None
        except (ValueError, KeyError, TypeError, onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf):
            raise TableError(f"{folder} holds a damaged student: run `python -m pipelines distill` again") from None
        if student.version != meta["version"]:
            raise TableError(f"{folder} mixes files of two students: run `python -m pipelines distill` again")
        return student


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _curve(values: Mapping[str, Any]) -> Curve:
    return Curve(**{**values, "knots": tuple(values["knots"]), "bends": tuple(values["bends"])})


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError
    return content
