"""The student beside rivals that learn from the same labels, judged on the same test sessions."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import hstack
from scipy.special import expit

from benchmarks.report import Row
from pipelines import schemas
from pipelines.distill import calibration, thresholds
from pipelines.distill.examples import Examples, examples_by_split, read_intents
from pipelines.distill.training import NETWORKS, Trained
from pipelines.evaluate.bootstrap import Resamples
from pipelines.evaluate.f1 import f1_values
from pipelines.evaluate.reliability import brier_score, top_calibration_error
from pipelines.evaluate.signals import page_counts
from pipelines.params import Distill, load
from pipelines.paths import Workspace
from pipelines.student.graph import Layers
from pipelines.student.labels import NAMED_FROM
from pipelines.tables import read_table

N_BOOTSTRAP: Final = 500
TREES: Final = {
    "objective": "cross_entropy",  # takes soft targets
    "num_leaves": 15,
    "learning_rate": 0.1,
    "min_data_in_leaf": 10,
    "verbosity": -1,
    "num_threads": 2,
    "deterministic": True,
    "force_row_wise": True,
}
MAX_TREES, PATIENCE = 200, 10

Logits = tuple[np.ndarray, np.ndarray]  # of the validation and of the test part, (N, C) each
Parts = Mapping[str, Examples]


def rivals(workspace: Workspace) -> dict[str, Row]:
    """Returns a row a model; each is calibrated and cut on the validation part as the student is."""
    params = load(workspace.params)
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    labels = read_table(workspace.labels, schemas.LABELS)
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    parts = examples_by_split(labels, sessions, embeddings, read_intents(workspace.used_taxonomy))
    counts = _with_counts(parts, sessions, labels)
    distill, seed = params.distill, params.seed
    soft, hard = (distill.model_copy(update={"hard_share": share}) for share in (0.0, 1.0))
    models: dict[str, Callable[[], Logits]] = {
        "perceptron": lambda: _network("perceptron", parts, distill, seed),
        "perceptron_soft": lambda: _network("perceptron", parts, soft, seed),
        "perceptron_hard": lambda: _network("perceptron", parts, hard, seed),
        "logistic_regression": lambda: _network("logistic_regression", parts, distill, seed),
        "counts_logistic": lambda: _network("logistic_regression", counts, distill, seed),
        "counts_lightgbm": lambda: _trees(counts, distill.hard_share, seed),
    }
    resamples = Resamples(_visitors(sessions, labels), N_BOOTSTRAP, seed)
    rows = {}
    for name, model in models.items():
        start = time.perf_counter()
        logits = model()
        rows[name] = _judged(logits, parts, distill, resamples) | {"train_seconds": time.perf_counter() - start}
        print(f"{name}: micro F1 {rows[name]['fidelity_micro_f1']:.4f}", flush=True)
    return rows


def _network(name: str, parts: Parts, params: Distill, seed: int) -> Logits:
    trained: Trained = NETWORKS[name](parts["train"], parts["valid"], params, seed)
    return trained.valid_logits, _logits(trained.layers, parts["test"].embeddings)


def _logits(layers: Layers, embeddings: np.ndarray) -> np.ndarray:
    values = embeddings
    for affine in layers.hidden:
        values = np.maximum(values @ affine.weight + affine.bias, 0)
    return np.asarray(values @ layers.output.weight + layers.output.bias)


def _trees(parts: Parts, hard_share: float, seed: int) -> Logits:
    train, valid, test = (parts[part] for part in ("train", "valid", "test"))
    targets, valid_targets = (part.targets(hard_share) for part in (train, valid))
    columns = []
    for label in range(targets.shape[1]):
        learnt = lightgbm.Dataset(train.embeddings, targets[:, label].copy())
        judged = lightgbm.Dataset(valid.embeddings, valid_targets[:, label].copy(), reference=learnt)
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        model = lightgbm.train({**TREES, "seed": seed}, learnt, MAX_TREES, valid_sets=[judged], callbacks=[stop])
        columns.append([model.predict(part.embeddings, raw_score=True) for part in (valid, test)])
    return np.stack([valid for valid, _ in columns], axis=1), np.stack([test for _, test in columns], axis=1)


def _judged(logits: Logits, parts: Parts, params: Distill, resamples: Resamples) -> Row:
    valid, test = parts["valid"], parts["test"]
    curves = calibration.fit(logits[0], valid.scores)
    on_valid, probabilities = (
        expit(np.stack([curve.of(part[:, label]) for label, curve in enumerate(curves)], axis=1)) for part in logits
    )
    cuts = thresholds.fit(on_valid, valid.scores >= NAMED_FROM, params.costs)
    sure = probabilities.max(axis=1, keepdims=True) >= cuts.abstain_below
    f1 = f1_values(resamples, (probabilities >= cuts.by_label) & sure, test.scores >= NAMED_FROM)
    values = {
        "fidelity_micro_f1": f1["micro_f1"],
        "fidelity_macro_f1": f1["macro_f1"],
        "brier": brier_score(resamples, probabilities, test.scores),
        "ece_top_intent": top_calibration_error(resamples, probabilities, test.scores),
    }
    row: Row = {}
    for name, found in values.items():
        low, high = np.percentile(found[1:], [2.5, 97.5])
        row |= {name: float(found[0]), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def _with_counts(parts: Parts, sessions: pa.Table, labels: pa.Table) -> dict[str, Examples]:
    """The same examples, with the logarithm of how often each page of either channel was seen for an embedding."""
    counts = hstack([page_counts(sessions, channel) for channel in ("web", "app")], format="csr").log1p()
    rows, split = _labelled(sessions, labels)
    return {
        part: Examples(counts[rows[split == part]].toarray().astype(np.float32), found.scores)
        for part, found in parts.items()
    }


def _visitors(sessions: pa.Table, labels: pa.Table) -> np.ndarray:
    rows, split = _labelled(sessions, labels)
    return np.asarray(sessions.column("visitor_id").to_numpy()[rows[split == "test"]])


def _labelled(sessions: pa.Table, labels: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """The row and the split of each labelled session, in the order of ``Examples``."""
    ids = labels.sort_by("session_id").column("session_id").combine_chunks()
    rows = pc.index_in(ids, value_set=sessions.column("session_id").combine_chunks()).to_numpy()
    return rows, np.asarray(sessions.column("split").to_numpy()[rows])
