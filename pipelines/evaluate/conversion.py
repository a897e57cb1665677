"""Task: which products a web session leads to an application for, read from the session alone.

Every model knows when the session ended; they differ in the web signal only, and ``time_only`` has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow.compute as pc

from pipelines.evaluate import signals
from pipelines.evaluate.average_precision import average_precision_values
from pipelines.evaluate.bootstrap import Resamples, estimate, gain
from pipelines.evaluate.f1 import f1_values
from pipelines.evaluate.history import DAY_US, session_keys
from pipelines.evaluate.inputs import Inputs, times_us
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.evaluate.outcomes import conversions, outcome_events, usable_split
from pipelines.evaluate.signals import Scale
from pipelines.params import Evaluate
from pipelines.student import logistic
from pipelines.student.thresholds import best_threshold

TASK: Final = "conversion"
BASELINE: Final = "time_only"
PAIRS: Final = (
    ("embedding", "teacher_labels"),
    ("embedding", "page_counts"),
    ("embedding", "student_labels"),
    ("student_labels", "teacher_labels"),
    ("teacher_labels", "page_counts"),
    ("student_labels", "page_counts"),
    ("embedding", BASELINE),
    ("teacher_labels", BASELINE),
    ("student_labels", BASELINE),
    ("page_counts", BASELINE),
)
METRICS: Final = ("micro_f1", "macro_f1", "average_precision")


@dataclass(frozen=True)
class Problem:
    """Labelled web sessions whose horizon can be judged: N of them, T features of time, F of a signal, P products."""

    time: np.ndarray  # (N, T)
    signals: Mapping[str, np.ndarray]  # model: (N, F)
    reached: np.ndarray  # bool (N, P)
    split: np.ndarray  # (N,): train, valid or test
    visitors: np.ndarray


@dataclass(frozen=True)
class Predicted:
    """What one model says of every session, and what the validation part chose for it."""

    probabilities: np.ndarray  # (N, P)
    threshold: float  # from it on a product is named
    l2: float


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns every model's F1 and average precision on the test part; all models are judged on the same sessions.

    Raises:
        NotAvailableError: there are no outcomes, no labelled sessions, or none of them together in one of the parts.
    """
    problem = problem_of(inputs, params)
    predicted = predictions(problem, params.l2)
    test = problem.split == "test"
    resamples = Resamples(problem.visitors[test], params.n_bootstrap, seed)
    values = {name: test_values(resamples, found, problem) for name, found in predicted.items()}
    metrics = {
        TASK: {name: {metric: estimate(found[metric]) for metric in METRICS} for name, found in values.items()},
        "counts": {TASK: _counts(problem)},
        "tuned_l2": {TASK: {name: found.l2 for name, found in predicted.items()}},
    }
    lifts = {
        f"{model}_over_{baseline}": {
            metric: estimate(gain(values[model][metric], values[baseline][metric])) for metric in METRICS
        }
        for model, baseline in PAIRS
    }
    return Judgement(metrics, {TASK: lifts})


def predictions(problem: Problem, penalties: list[float]) -> dict[str, Predicted]:
    """Returns what every model says, ``time_only`` first.

    The web signal's penalty is tuned with the time's held where ``time_only`` has it: a signal that says nothing can
    always be penalised away, so what a model gains or loses is its signal's doing.
    """
    nothing = np.zeros((len(problem.time), 0))
    time_only = _tuned(problem, nothing, penalties, None)
    found = {name: _tuned(problem, signal, penalties, time_only.l2) for name, signal in problem.signals.items()}
    return {BASELINE: time_only, **found}


def _tuned(problem: Problem, signal: np.ndarray, penalties: list[float], held: float | None) -> Predicted:
    """One model; ``held`` is the penalty of the time, None where it is to be found.

    Penalty and threshold are chosen on the validation part: the penalty by log loss, since with few outcomes F1 jumps
    between penalties; then one threshold for all products by micro F1.
    """
    train, valid = problem.split == "train", problem.split == "valid"
    features = np.hstack([problem.time, signal])
    scaled = Scale.of(features[train]).apply(features)
    best: tuple[float, float, np.ndarray] | None = None
    heads: logistic.Heads | None = None
    for l2 in sorted(penalties, reverse=True):
        ridge = np.repeat([l2 if held is None else held, l2], [problem.time.shape[1], signal.shape[1]])
        heads = logistic.fit(scaled[train], problem.reached[train], ridge, near=heads)
        loss = heads.log_loss(scaled[valid], problem.reached[valid])
        if best is not None and loss >= best[0]:
            break  # weaker penalties only overfit further
        best = (loss, l2, heads.probabilities(scaled))
    assert best is not None
    _, l2, probabilities = best
    threshold, _ = best_threshold(probabilities[valid].ravel(), problem.reached[valid].ravel())
    return Predicted(probabilities, threshold, l2)


def test_values(resamples: Resamples, predicted: Predicted, problem: Problem) -> dict[str, np.ndarray]:
    """Returns each metric on the test part, (B + 1,)."""
    test = problem.split == "test"
    probabilities, reached = predicted.probabilities[test], problem.reached[test]
    return {
        **f1_values(resamples, probabilities >= predicted.threshold, reached),
        "average_precision": average_precision_values(resamples, probabilities, reached),
    }


def _counts(problem: Problem) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in ("train", "valid", "test"):
        reached = problem.reached[problem.split == part]
        counts |= {f"n_{part}": len(reached), f"n_{part}_outcomes": int(reached.sum())}
    return counts


def problem_of(inputs: Inputs, params: Evaluate) -> Problem:
    """Returns the sessions to judge; raises NotAvailableError where there are none in one of the parts."""
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
    web = {
        "embedding": inputs.embeddings[rows].astype(np.float64),
        "teacher_labels": inputs.labels.scores[chosen].astype(np.float64),
        "student_labels": inputs.probabilities[rows].astype(np.float64),
        "page_counts": np.log1p(signals.page_counts(inputs.sessions, "web")[rows].toarray()),
    }
    time = signals.calendar(inputs.times_us("end_ts")[rows], n_harmonics=2)  # a day may have two peaks
    return Problem(time, web, reached, split, inputs.visitors[rows])
