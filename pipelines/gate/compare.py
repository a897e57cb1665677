"""The same evaluation for both: on the challenger's sessions, heads and splits, with the champion's signal beside it.

Both are judged on the challenger's test part, which lies after all that the champion was trained on. Where a metric is
a function of totals over rows, both see the same resamples of visitors and the interval is that of the difference. The
probes of the encoder are no such function: there the two intervals are compared, which finds less.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipelines.evaluate import conversion, encoder_probes, tile_ranking
from pipelines.evaluate.bootstrap import Resamples, estimate, gain, rounded
from pipelines.evaluate.decisions import find_decisions, split_of
from pipelines.evaluate.f1 import f1_values
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.judgement import NotAvailableError
from pipelines.evaluate.tile_models import Problem, rank
from pipelines.params import Evaluate, Gate
from pipelines.student.labels import NAMED_FROM
from pipelines.verdict import Comparison

CHAMPION: Final = "champion_"
SIGNALS: Final = ("embedding", "labels", "student_labels")


@dataclass(frozen=True)
class Rivals:
    """The challenger's tables, and the same with what the champion makes of these sessions."""

    challenger: Inputs
    champion: Inputs
    same_taxonomy: bool


def compared(rivals: Rivals, params: Evaluate, gate: Gate, seed: int) -> list[Comparison]:
    """Returns a comparison for every metric that ``gate`` names, in its order."""
    found: dict[str, Comparison] = {}
    with threadpool_limits(1):  # sums in one order: the same digits on one core or many
        for task, judge in TASKS.items():
            wanted = [name for name in gate.metrics if name.partition(".")[0] == task]
            if wanted:
                found |= _judged(judge, rivals, params, gate, seed, wanted)
    return [found[name] for name in gate.metrics]


def _judged(
    judge: "Judge", rivals: Rivals, params: Evaluate, gate: Gate, seed: int, wanted: list[str]
) -> dict[str, Comparison]:
    try:
        found = {one.metric: _decided(one, gate) for one in judge(rivals, params, seed)}
    except NotAvailableError as reason:
        return {name: Comparison(metric=name, outcome="not available", why=str(reason)) for name in wanted}
    why = "not available: the data or the models lack it"
    return {name: found.get(name, Comparison(metric=name, outcome="not available", why=why)) for name in wanted}


def _decided(one: Comparison, gate: Gate) -> Comparison:
    if one.improvement is None or one.ci95 is None:
        return one
    if one.ci95[1] < 0:
        return one.model_copy(update={"outcome": "worse", "why": "the whole interval lies below zero"})
    if one.improvement < -gate.max_loss:
        return one.model_copy(update={"outcome": "worse", "why": f"loses more than {gate.max_loss:.0%}"})
    return one.model_copy(update={"outcome": "better" if one.ci95[0] > 0 else "no worse"})


def _paired(metric: str, ours: np.ndarray, theirs: np.ndarray, improvement: Any) -> Comparison:
    """Of two metrics, (B + 1,) each, over the same resamples."""
    difference = estimate(improvement(ours, theirs))
    if difference["value"] is None:
        return Comparison(metric=metric, outcome="not available", why="not available: undefined on these sessions")
    return Comparison(
        metric=metric,
        outcome="no worse",
        champion=rounded(theirs[0]),
        challenger=rounded(ours[0]),
        improvement=difference["value"],
        ci95=difference["ci95"],
    )


def _tiles(rivals: Rivals, params: Evaluate, seed: int) -> Iterator[Comparison]:
    inputs = rivals.challenger
    decisions = find_decisions(inputs.events, params.tile_ranking)
    problem = Problem(decisions, split_of(decisions, inputs.sessions), inputs, params)
    tile_ranking.check(problem)
    theirs = {"embedding": rivals.champion.embeddings, "labels": rivals.champion.probabilities}
    ranked = rank(
        problem,
        {
            f"{CHAMPION}{name}": problem.web_context(values.astype(np.float64), summed=False)
            for name, values in theirs.items()
            if values is not None
        },
    )
    test = problem.split == "test"
    resamples = Resamples(decisions.people[test], params.n_bootstrap, seed)
    values = {
        name: tile_ranking.metric_values(resamples, model.log_probabilities[test], decisions.clicked[test])
        for name, model in ranked.items()
        if name.removeprefix(CHAMPION) in SIGNALS
    }
    for name in (name for name in values if f"{CHAMPION}{name}" in values):
        for metric, improvement in tile_ranking.METRICS.items():
            ours, other = values[name][metric], values[f"{CHAMPION}{name}"][metric]
            yield _paired(f"{tile_ranking.TASK}.{name}.{metric}", ours, other, improvement)


def _conversion(rivals: Rivals, params: Evaluate, seed: int) -> Iterator[Comparison]:
    problem, other = (conversion.problem_of(inputs, params) for inputs in (rivals.challenger, rivals.champion))
    both = {name: problem.signals[name] for name in SIGNALS if name in problem.signals}
    both |= {f"{CHAMPION}{name}": other.signals[name] for name in both}
    problem = replace(problem, signals=both)
    predicted = conversion.predictions(problem, params.l2)
    resamples = Resamples(problem.visitors[problem.split == "test"], params.n_bootstrap, seed)
    values = {name: conversion.test_values(resamples, predicted[name], problem) for name in both}
    for name in (name for name in both if not name.startswith(CHAMPION)):
        for metric in conversion.METRICS:
            ours, theirs = values[name][metric], values[f"{CHAMPION}{name}"][metric]
            yield _paired(f"{conversion.TASK}.{name}.{metric}", ours, theirs, gain)


def _student(rivals: Rivals, params: Evaluate, seed: int) -> Iterator[Comparison]:
    inputs = rivals.challenger
    if not rivals.same_taxonomy:
        raise NotAvailableError("the same taxonomy in both")
    if inputs.labels is None or inputs.decided is None or rivals.champion.decided is None:
        raise NotAvailableError("labelled sessions, and a student")
    test = inputs.split[inputs.labels.rows] == "test"
    if not test.any():
        raise NotAvailableError("labelled sessions in the test part")
    rows, named = inputs.labels.rows[test], inputs.labels.scores[test] >= NAMED_FROM
    resamples = Resamples(inputs.visitors[rows], params.n_bootstrap, seed)
    ours, theirs = (
        f1_values(resamples, one.decided[rows], named) for one in (inputs, rivals.champion) if one.decided is not None
    )
    for metric in ours:
        yield _paired(f"student.fidelity_{metric}", ours[metric], theirs[metric], gain)


def _encoder(rivals: Rivals, params: Evaluate, seed: int) -> Iterator[Comparison]:
    ours, theirs = (
        encoder_probes.judge(inputs, params, seed).metrics[encoder_probes.TASK]
        for inputs in (rivals.challenger, rivals.champion)
    )
    for metric, one in ours.items():
        if isinstance(one, dict) and one["value"] and theirs[metric]["value"]:
            yield _overlapping(f"{encoder_probes.TASK}.{metric}", one, theirs[metric])


def _overlapping(metric: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Comparison:
    """Of two estimates with intervals of their own: worse only if these lie apart."""
    value = theirs["value"]
    bounds = [ours["ci95"][0] - theirs["ci95"][1], ours["ci95"][1] - theirs["ci95"][0]]
    return Comparison(
        metric=metric,
        outcome="no worse",
        champion=value,
        challenger=ours["value"],
        improvement=rounded(ours["value"] / value - 1),
        ci95=(rounded(bounds[0] / value), rounded(bounds[1] / value)),
    )


Judge = Callable[[Rivals, Evaluate, int], Iterator[Comparison]]
TASKS: Final[Mapping[str, Judge]] = {
    tile_ranking.TASK: _tiles,
    conversion.TASK: _conversion,
    "student": _student,
    encoder_probes.TASK: _encoder,
}
"""By the first part of a metric's name."""
