"""Task: which products a web session leads to an application for, read from the session alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow.compute as pc

from pipelines.evaluate import logistic, signals
from pipelines.evaluate.bootstrap import Resamples, estimate, gain
from pipelines.evaluate.f1 import f1_values
from pipelines.evaluate.history import DAY_US, session_keys
from pipelines.evaluate.inputs import Inputs, times_us
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.evaluate.outcomes import conversions, outcome_events, usable_split
from pipelines.evaluate.signals import Scale
from pipelines.params import Evaluate
from pipelines.student.thresholds import best_threshold

TASK: Final = "conversion"
PAIRS: Final = (
    ("embedding", "teacher_labels"),
    ("embedding", "page_counts"),
    ("embedding", "student_labels"),
    ("student_labels", "teacher_labels"),
    ("teacher_labels", "page_counts"),
    ("student_labels", "page_counts"),
)
METRICS: Final = ("micro_f1", "macro_f1")


@dataclass(frozen=True)
class Problem:
    """Labelled web sessions whose horizon can be judged: N of them, F features by model, P products."""

    features: Mapping[str, np.ndarray]  # model: (N, F)
    reached: np.ndarray  # bool (N, P)
    split: np.ndarray  # (N,): train, valid or test
    visitors: np.ndarray


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns every model's micro and macro F1 on the test part; all models are judged on the same sessions.

    Raises:
        NotAvailableError: there are no outcomes, no labelled sessions, or none of them together in one of the parts.
    """
    problem = _problem(inputs, params)
    test = problem.split == "test"
    resamples = Resamples(problem.visitors[test], params.n_bootstrap, seed)
    values, tuned = {}, {}
    for name, features in problem.features.items():
        predicted, tuned[name] = predictions(features, problem, params.l2)
        values[name] = f1_values(resamples, predicted[test], problem.reached[test])
    counts: dict[str, int] = {}
    for part in ("train", "valid", "test"):
        reached = problem.reached[problem.split == part]
        counts |= {f"n_{part}": len(reached), f"n_{part}_outcomes": int(reached.sum())}
    metrics = {
        TASK: {name: {metric: estimate(found[metric]) for metric in METRICS} for name, found in values.items()},
        "counts": {TASK: counts},
        "tuned_l2": {TASK: tuned},
    }
    lifts = {
        f"{model}_over_{baseline}": {
            metric: estimate(gain(values[model][metric], values[baseline][metric])) for metric in METRICS
        }
        for model, baseline in PAIRS
    }
    return Judgement(metrics, {TASK: lifts})


def predictions(features: np.ndarray, problem: Problem, penalties: list[float]) -> tuple[np.ndarray, float]:
    """Returns which products are predicted, bool (N, P), and the penalty.

    Both are chosen on the validation part: the penalty by log loss, since with few outcomes F1 jumps between penalties;
    then one threshold for all products by micro F1.
    """
    train, valid = problem.split == "train", problem.split == "valid"
    scaled = Scale.of(features[train]).apply(features)
    best: tuple[float, float, np.ndarray] | None = None
    for l2 in sorted(penalties, reverse=True):
        heads = logistic.fit(scaled[train], problem.reached[train], l2)
        loss = heads.log_loss(scaled[valid], problem.reached[valid])
        if best is not None and loss >= best[0]:
            break  # weaker penalties only overfit further
        best = (loss, l2, heads.probabilities(scaled))
    assert best is not None
    _, l2, probabilities = best
    threshold, _ = best_threshold(probabilities[valid].ravel(), problem.reached[valid].ravel())
    return probabilities >= threshold, l2


def _problem(inputs: Inputs, params: Evaluate) -> Problem:
    outcomes = outcome_events(inputs.events, params.conversion)
    if not len(outcomes):
        raise NotAvailableError("outcomes: events as evaluate.conversion names them")
    if inputs.labels is None or inputs.probabilities is None:
        raise NotAvailableError("labelled sessions, and a student")
    is_web = pc.equal(inputs.sessions.column("channel"), "web").to_numpy()[inputs.labels.rows]
    usable = usable_split(
        inputs.split,
        inputs.times_us("start_ts"),
        inputs.times_us("end_ts"),
        int(times_us(inputs.events.column("ts")).max()),
        round(params.conversion.horizon_days * DAY_US),
    )[inputs.labels.rows]
    chosen = is_web & (usable != "")
    rows, split = inputs.labels.rows[chosen], usable[chosen]
    keys = session_keys(inputs.sessions, rows)
    reached = conversions(keys, outcomes, inputs.identity, params.conversion.horizon_days).reached
    for part in ("train", "valid", "test"):
        if not reached[split == part].any():
            raise NotAvailableError(f"labelled web sessions of the {part} part with an outcome within the horizon")
    features = {
        "embedding": inputs.embeddings[rows].astype(np.float64),
        "teacher_labels": inputs.labels.scores[chosen].astype(np.float64),
        "student_labels": inputs.probabilities[rows].astype(np.float64),
        "page_counts": np.log1p(signals.page_counts(inputs.sessions, "web")[rows].toarray()),
    }
    return Problem(features, reached, split, inputs.visitors[rows])
