"""audit: whether two random identity-like features in the input harm the embedding, over seeds.

A contrastive encoder may solve its task by whatever names the session: on one public data set two random features cost
.37 of AUROC while the pretext metric rose (ptls-experiments). So the encoder is trained twice a seed on a sample of
the visitors, as params.yaml says and with two random words of each visitor as another field, and judged by probes on
sessions of the validation part: which of the commonest pages were seen, and whether the visitor returns.
"""

import json
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipelines import champion, runs, schemas
from pipelines import params as params_file
from pipelines.audit.trainings import Trainings
from pipelines.encoder.runtime import Runtime
from pipelines.errors import SkippedError, TableError
from pipelines.params import EncodedField, Params, Pretrain
from pipelines.paths import Workspace
from pipelines.pretrain import audits
from pipelines.pretrain.audits.leakage import page_counts
from pipelines.pretrain.stage import run as pretrain
from pipelines.tables import read_table, write_table

COLUMN: Final = "element"  # of the events: overwritten in the sample, so that the words are an input like any other
FIELD: Final = "audit_shortcut"
N_VISITORS: Final = 6_000  # sampled: enough for two digits of AUROC, a tenth of a bank's training time
N_WORDS: Final = 500  # distinct random words
N_PAGES: Final = 12  # probed: the commonest that are neither in nearly all sessions nor in nearly none
RETURN_US: Final = 7 * 86_400_000_000
MIN_SHARE: Final = 0.02
MIN_SESSIONS: Final = 100  # of either part

Row = dict[str, float]


def run(workspace: Workspace, params: Params, seeds: int, challenger: Path | None = None) -> None:
    """Trains twice a seed, prints the table, writes reports/bench/audit.json; killed, it goes on where it was.

    Args:
        workspace: where the champion serves.
        params: of what is audited; a challenger has its own.
        seeds: trainings of each kind.
        challenger: a retraining's workspace, audited in place of ``workspace``.

    Raises:
        RunError: there is no such challenger.
        SkippedError: the challenger's encoder needs no audit.
        TableError: sessions are missing, or too few of them are in the training and the validation part.
        AuditError: the random features cost more than `pretrain.audits.max_shortcut_cost`, in the mean over seeds.
    """
    if challenger:
        made = runs.opened(challenger)
        _skip_what_needs_none(workspace, made)
        workspace, params = made, params_file.load(made.params)
    sessions = sample(read_table(workspace.sessions, schemas.SESSIONS), params.seed)
    pages, trainings = workspace.pages.absolute(), Trainings.of(workspace, params)
    plain = partial(_probed, pages=pages, sessions=sessions, block=params.pretrain)
    other = partial(_probed, pages=pages, block=misled(params.pretrain))
    rows: dict[str, Row] = {}
    for seed in range(params.seed, params.seed + seeds):
        auroc = trainings.figure(f"plain-{seed}", partial(plain, seed=seed))
        shown = partial(other, sessions=_with_shortcuts(sessions, seed), seed=seed)
        harmed = trainings.figure(f"shortcuts-{seed}", shown)
        rows[f"seed_{seed}"] = {"probe_auroc": auroc, "with_shortcuts": harmed, "shortcut_cost": auroc - harmed}
    costs = [row["shortcut_cost"] for row in rows.values()]
    aurocs = [row["probe_auroc"] for row in rows.values()]
    deviation = float(np.std(aurocs, ddof=1)) if len(aurocs) > 1 else 0.0
    rows["mean"] = {name: float(np.mean([row[name] for row in rows.values()])) for name in rows[f"seed_{params.seed}"]}
    rows["mean"]["deviation_over_seeds"] = deviation
    _report(rows, workspace.reports / "bench" / "audit.json")
    trainings.clear()
    audits.insist({"shortcuts": {"shortcut_cost": float(np.mean(costs))}}, params.pretrain.audits)


def misled(block: Pretrain) -> Pretrain:
    """Returns ``block`` with COLUMN as another field, and no limit on leakage.

    What names the visitor in the input may show in the embedding: the question is what it costs the rest.
    """
    fields = block.fields | {FIELD: EncodedField(kind="words", column=COLUMN)}
    return block.model_copy(update={"fields": fields, "audits": block.audits.model_copy(update={"max_leakage": 1.0})})


def _skip_what_needs_none(workspace: Workspace, made: Workspace) -> None:
    if any(run.profile == "fast" for run in runs.known(workspace) if run.name == made.root.name):
        raise SkippedError("profile `fast` shows the machinery and is audited by nobody")
    held = champion.present(workspace, "audit")
    if held and held.manifest.record.encoder_version == Runtime.load(made.encoder).version:
        raise SkippedError(f"the encoder is that of champion {held.version}: a promotion changes nothing about it")


def sample(sessions: pa.Table, seed: int, n_visitors: int = N_VISITORS) -> pa.Table:
    """Returns the training and validation sessions of ``n_visitors`` visitors drawn by ``seed``.

    Raises:
        TableError: one of the two parts has fewer than MIN_SESSIONS of them.
    """
    visitors = pc.unique(sessions.column("visitor_id")).sort()
    drawn = np.random.default_rng(seed).permutation(len(visitors))[:n_visitors]
    chosen = sessions.filter(pc.is_in(sessions.column("visitor_id"), visitors.take(pa.array(drawn))))
    chosen = chosen.filter(pc.is_in(chosen.column("split"), pa.array(["train", "valid"])))
    parts = pc.value_counts(chosen.column("split")).to_pylist()
    if len(parts) < 2 or min(part["counts"] for part in parts) < MIN_SESSIONS:
        raise TableError(f"sessions.parquet: the audit needs {MIN_SESSIONS} sessions in train and in valid at least")
    return chosen


def _with_shortcuts(sessions: pa.Table, seed: int) -> pa.Table:
    """The sessions with two random words of each visitor in COLUMN of every event."""
    draw = np.random.default_rng(seed)
    words = {
        name: f"x{first} y{second}"
        for name in pc.unique(sessions.column("visitor_id")).to_pylist()
        for first, second in [draw.integers(0, N_WORDS, 2).tolist()]
    }
    owners = sessions.column("visitor_id").to_pylist()
    events = [
        [{**event, COLUMN: words[owner]} for event in found]
        for owner, found in zip(owners, sessions.column("events").to_pylist(), strict=True)
    ]
    place = sessions.schema.get_field_index("events")
    field = schemas.SESSIONS.field("events")
    return sessions.set_column(place, field, pa.array(events, field.type))


def _probed(private: Workspace, pages: Path, sessions: pa.Table, block: Pretrain, seed: int) -> float:
    """Mean probe AUROC, on the validation part, of an encoder that is trained on the training part of ``sessions``."""
    write_table(sessions, private.sessions, schemas.SESSIONS)
    private.pages.unlink(missing_ok=True)
    private.pages.symlink_to(pages)
    pretrain(private, block, seed)
    embeddings = np.stack(
        read_table(private.embeddings, schemas.EMBEDDINGS).column("embedding").to_numpy(zero_copy_only=False)
    )
    train = pc.equal(sessions.column("split"), "train").to_numpy()
    aurocs = []
    for target in _targets(sessions).T:
        if len({*target[train]}) == len({*target[~train]}) == 2:
            probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            with threadpool_limits(1):  # sums in one order: the same figures on one core or many
                probe.fit(embeddings[train], target[train])
            aurocs.append(roc_auc_score(target[~train], probe.predict_proba(embeddings[~train])[:, 1]))
    return float(np.mean(aurocs))


def _targets(sessions: pa.Table) -> np.ndarray:
    """What is probed, bool (N, targets)."""
    seen = page_counts(sessions) > 0
    shares = seen.mean(axis=0)
    pages = np.argsort(-np.where((shares >= MIN_SHARE) & (shares <= 1 - MIN_SHARE), shares, 0), kind="stable")[:N_PAGES]
    return np.concatenate([seen[:, pages], _returns(sessions)[:, None]], axis=1)


def _returns(sessions: pa.Table) -> np.ndarray:
    """Whether the visitor has another session within a week of each session's end, (N,)."""
    visitors = np.unique(sessions.column("visitor_id").to_numpy(zero_copy_only=False), return_inverse=True)[1]
    starts, ends = (sessions.column(name).cast(pa.int64()).to_numpy() for name in ("start_ts", "end_ts"))
    order = np.lexsort((starts, visitors))
    same = visitors[order][1:] == visitors[order][:-1]
    soon = starts[order][1:] - ends[order][:-1] <= RETURN_US
    returns = np.zeros(len(sessions), dtype=bool)
    returns[order[:-1]] = same & soon
    return returns


def _report(rows: dict[str, Row], path: Path) -> None:
    print(f"\n{'':12}{'probe AUROC':>14}{'with shortcuts':>16}{'cost':>10}")
    for name, row in rows.items():
        print(f"{name:12}{row['probe_auroc']:14.4f}{row['with_shortcuts']:16.4f}{row['shortcut_cost']:10.4f}")
    print(f"deviation of the probe over seeds: {rows['mean']['deviation_over_seeds']:.4f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
