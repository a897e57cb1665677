"""Which objectives, poolings, architectures and fields earn their place: frozen probes on validation, never on test.

Two tasks, one a row of the table each: the next category on MSNBC (of the protocol's training visits 15,000 train and
10,000 validate: R@1, macro R@1, log loss) and the true intent of web sessions of the demo bank's validation part
(accuracy, macro F1, log loss; simulated, so it shows the machinery; of 3,000 visitors). Each row is params.yaml with
the values that its name says, one seed, four epochs: a seventh of the defaults' training, so that all rows end in an
hour. So they say what helps early, not what ten epochs make of it. Finished rows are kept in .work/ablate, by the code
and the values.
"""

import copy
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from sklearn.metrics import f1_score, log_loss

import pipelines.encoder
import pipelines.pretrain
from benchmarks import protocol
from benchmarks.console import leave_with
from benchmarks.fresh_encoder import fresh_encoder
from benchmarks.protocol import REPOSITORY
from benchmarks.report import probed, scores
from pipelines import params as params_file
from pipelines import schemas
from pipelines.audit.stage import sample
from pipelines.evaluate.truth import NO_NEED, true_needs
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.pretrain.corpus import tokenised
from pipelines.pretrain.objectives import OBJECTIVES
from pipelines.tables import read_table, write_table

WORK: Final = REPOSITORY / ".work" / "ablate"
N_FIT, N_VALID = 15_000, 10_000
"""Of the protocol's training visits: the first, and those after them."""
N_VISITORS: Final = 3_000
"""Of the demo bank."""
N_EPOCHS: Final = 4
MAX_NEEDS: Final = 12_000
"""Sessions that the probe of intents is fitted on: enough for two digits, bounded in time."""

NONE: Final = dict.fromkeys(OBJECTIVES, 0.0)
ROWS: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "transformer": {"architecture": "transformer"},
    "pooling last": {"pooling": "last"},
    "pooling mean": {"pooling": "mean"},
    "pooling attention": {"pooling": "attention"},
    "trained no wider": {"trained_dim": 64},
    "nothing dropped out": {"gru": {"dropout": 0.0}},
    "slow decay": {"weight_decay": 0.01},
    "without whole session": {"objectives": {"whole_session": 0.0}},
    "next event": {"objectives": NONE | {"next_event": 1.0}},
    "next event, whole": {"objectives": NONE | {"next_event": 1.0, "whole_session": 0.1}},
    "next event, masked": {"objectives": NONE | {"next_event": 1.0, "masked_events": 0.5}},
    "next event, neighbours": {"objectives": NONE | {"next_event": 1.0, "neighbours": 0.1}},
    "next event, spread": {"objectives": NONE | {"next_event": 1.0, "spread": 0.1}},
    "masked": {"objectives": NONE | {"masked_events": 1.0}},
    "contrastive": {"objectives": NONE | {"contrastive": 1.0, "spread": 0.1}},
    "without text": {"fields": {"text": None}},
    "without path": {"fields": {"path": None}},
    "without times": {"fields": {"elapsed": None, "hour": None, "weekday": None}},
    "without query": {"fields": {"query": None}},
    "without referrer": {"fields": {"referrer": None}},
    "with element": {"fields": {"element": {"kind": "token", "column": "element"}}},
    "predicts text too": {"targets": {"text": 1.0}},
    "predicts elapsed too": {"targets": {"elapsed": 0.3}},
    "no context hidden": {"context_dropout": 0.0},
    "no field hidden": {"field_dropout": 0.0},
    "128 dimensions": {"embedding_dim": 128},
}
METRICS: Final = {
    "next_r_at_1": "R@1",
    "next_macro_r_at_1": "macro R@1",
    "next_log_loss": "log loss",
    "need_accuracy": "accuracy",
    "need_macro_f1": "macro F1",
    "need_log_loss": "log loss",
}
Row = dict[str, float]


def main() -> int:
    """Runs the rows that are not there yet, prints the table; returns 0."""
    traffic, probe = protocol.prepared("ablate")
    bank = Workspace(REPOSITORY)
    if not bank.sessions.exists():
        print("ablate: no demo bank here: run `make demo` first")
        return 1
    written = yaml.safe_load((REPOSITORY / "params.yaml").read_text())  # once: it may be edited meanwhile
    visits = validation_visits(probe, protocol.written(traffic, probe))
    rows: dict[str, Row] = {}
    for name, changes in ROWS.items():
        params = changed(written, changes)
        kept = WORK / f"{key(params, visits, bank)}.json"
        if not kept.exists():
            row = next_category(visits, params) | intents(bank, params)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(row))
        rows[name] = json.loads(kept.read_text())
        print_row(name, rows[name], first=len(rows) == 1)
    path = REPOSITORY / "reports" / "bench" / "ablate.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"written to {path.relative_to(REPOSITORY)}")
    return 0


def changed(written: Mapping[str, Any], changes: Mapping[str, Any]) -> Params:
    """Returns the values ``written`` with N_EPOCHS and the ``changes`` to `pretrain`; None takes a field away."""
    values = copy.deepcopy(dict(written))
    values["pretrain"]["max_epochs"] = N_EPOCHS
    for name, value in changes.items():
        block = values["pretrain"]
        block[name] = {**block[name], **value} if isinstance(value, dict) else value
        if name == "fields":
            block[name] = {field: one for field, one in block[name].items() if one is not None}
            block["targets"] = {target: weight for target, weight in block["targets"].items() if target in block[name]}
    return params_file.validate(values, "params.yaml")


def validation_visits(probe: Workspace, targets: np.ndarray) -> Workspace:
    """Returns a root with visits of the protocol's training part, the last of them validation, and their targets."""
    visits = Workspace(WORK / "msnbc")
    sessions = read_table(probe.sessions, schemas.SESSIONS).slice(0, N_FIT + N_VALID)
    split = pa.array(["train"] * N_FIT + ["valid"] * N_VALID)
    sessions = sessions.set_column(sessions.column_names.index("split"), "split", split)
    visits.artifacts.mkdir(parents=True, exist_ok=True)
    write_table(sessions, visits.sessions, schemas.SESSIONS)
    write_table(read_table(probe.pages, schemas.PAGES), visits.pages, schemas.PAGES)
    np.save(visits.root / "targets.npy", targets[: N_FIT + N_VALID])
    return visits


def next_category(visits: Workspace, params: Params) -> Row:
    """Returns what the frozen embedding tells of the next category of the visits that validate."""
    vectors, seconds = trained(visits, params)
    targets = np.load(visits.root / "targets.npy")
    probabilities, classes = probed(vectors, targets, N_FIT)
    found = scores(probabilities, classes, targets[N_FIT:])
    kept = {f"next_{name}": found[name] for name in ("r_at_1", "macro_r_at_1", "log_loss")}
    return kept | {"next_seconds": seconds}


def intents(bank: Workspace, params: Params) -> Row:
    """Returns what it tells of the need behind the bank's web sessions of the validation part."""
    sessions = sample(read_table(bank.sessions, schemas.SESSIONS), params.seed, N_VISITORS)
    needs = web_needs(bank, sessions)
    corpus_root = Workspace(WORK / "bank")
    corpus_root.artifacts.mkdir(parents=True, exist_ok=True)
    write_table(sessions, corpus_root.sessions, schemas.SESSIONS)
    write_table(read_table(bank.pages, schemas.PAGES), corpus_root.pages, schemas.PAGES)
    vectors, seconds = trained(corpus_root, params)
    split = sessions.column("split").to_numpy()
    fit = np.random.default_rng(params.seed).permutation(np.flatnonzero((needs != "") & (split == "train")))[:MAX_NEEDS]
    valid = np.flatnonzero((needs != "") & (split == "valid"))
    valid = valid[np.isin(needs[valid], np.unique(needs[fit]))]
    asked = np.concatenate([fit, valid])
    probabilities, classes = probed(vectors[asked], needs[asked], len(fit))
    named = classes[probabilities.argmax(axis=1)]
    return {
        "need_accuracy": float((named == needs[valid]).mean()),
        "need_macro_f1": float(f1_score(needs[valid], named, average="macro")),
        "need_log_loss": float(log_loss(needs[valid], probabilities, labels=classes)),
        "need_seconds": seconds,
    }


def web_needs(bank: Workspace, sessions: pa.Table) -> np.ndarray:
    """Returns the true need behind each web session of training and validation, "" where there is none."""
    wanted = pc.and_(
        pc.equal(sessions.column("channel"), "web"), pc.is_in(sessions.column("split"), pa.array(["train", "valid"]))
    )
    rows = np.flatnonzero(wanted.to_numpy())
    needs = np.full(len(sessions), "", dtype=object)
    events = read_table(bank.events, schemas.EVENTS, ["event_id", "visitor_id", "channel", "ts"])
    needs[rows] = true_needs(Asked(sessions, events, bank.truth), rows)
    needs[needs == NO_NEED] = ""
    return needs.astype(str)


class Asked(NamedTuple):
    """What ``true_needs`` reads of the evaluation's inputs."""

    sessions: pa.Table
    events: pa.Table
    truth: Path


def trained(workspace: Workspace, params: Params) -> tuple[np.ndarray, float]:
    """Returns the embedding of all sessions after training on the training part, and the seconds it took."""
    corpus = tokenised(workspace, params.pretrain)
    start = time.perf_counter()
    encoder = fresh_encoder(corpus, params.pretrain, params.seed, WORK / "checkpoints")
    seconds = time.perf_counter() - start
    return encoder.embed_arrays(corpus.arrays), seconds


def key(params: Params, visits: Workspace, bank: Workspace) -> str:
    """Returns a hash of what decides a row: values, data, code of the encoder and of this module."""
    digest = hashlib.sha256(f"{params.seed} {params.pretrain.model_dump_json()}".encode())
    folders = [Path(package.__path__[0]) for package in (pipelines.encoder, pipelines.pretrain)]
    modules = [module for folder in folders for module in sorted(folder.rglob("*.py"))]
    for file in (*modules, Path(__file__), visits.sessions, bank.sessions):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def print_row(name: str, row: Row, *, first: bool) -> None:
    """Prints a line of the table, and before the first one its head."""
    if first:
        print(f"\n{'':24}{'MSNBC, next category':>32}{'demo bank, true intent':>32}{'seconds':>12}")
        print(
            f"{'validation':24}" + "".join(f"{label:>{11 - place % 2}}" for place, label in enumerate(METRICS.values()))
        )
    seconds = f"{row['next_seconds']:6.0f}{row['need_seconds']:6.0f}"
    print(
        f"{name:24}" + "".join(f"{row[metric]:>{11 - place % 2}.4f}" for place, metric in enumerate(METRICS)) + seconds
    )


if __name__ == "__main__":
    leave_with(main)
