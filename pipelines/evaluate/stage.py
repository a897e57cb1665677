"""evaluate: everything before it -> reports/metrics.json, reports/taxonomy.html, reports/plots."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from pipelines.cores import side_by_side
from pipelines.evaluate import conversion, encoder_probes, plots, student_quality, taxonomy_quality, tile_ranking
from pipelines.evaluate.inputs import Inputs, read_inputs
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.evaluate.taxonomy_page import taxonomy_page
from pipelines.params import Evaluate
from pipelines.paths import Workspace, staged

TASKS: Final[Mapping[str, Callable[[Inputs, Evaluate, int], Judgement]]] = {
    encoder_probes.TASK: encoder_probes.judge,
    taxonomy_quality.TASK: taxonomy_quality.judge,
    student_quality.TASK: student_quality.judge,
    tile_ranking.TASK: tile_ranking.judge,
    conversion.TASK: conversion.judge,
}
"""A new task is one new module with ``TASK`` and ``judge``, and one line here."""


def run(workspace: Workspace, params: Evaluate, seed: int) -> None:
    """Judges what the earlier stages made; a task whose data are missing says what it needs.

    Raises:
        TableError: a table of an earlier stage is missing, or two do not belong together.
    """
    inputs = read_inputs(workspace)
    with threadpool_limits(1):  # sums in one order: the same digits on one core or many; cores share the tasks
        longest_first = [*TASKS][::-1]
        found = side_by_side([partial(_judged, name, inputs, params, seed) for name in longest_first])
    judged = dict(zip(longest_first, found, strict=True))
    metrics = merged({name: judged[name] for name in TASKS}, inputs)
    curves = {name: rows for found in judged.values() for name, rows in found.curves.items()}
    with staged(workspace, "evaluate") as staging:
        written = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
        staging.path(workspace.metrics).write_text(written + "\n", encoding="utf-8")
        staging.path(workspace.taxonomy_page).write_text(taxonomy_page(inputs, workspace), encoding="utf-8")
        plots.write(staging.path(workspace.plots), metrics, curves)


def merged(judged: Mapping[str, Judgement], inputs: Inputs) -> dict[str, Any]:
    """Returns the whole of reports/metrics.json."""
    metrics: dict[str, Any] = {"notes": notes(inputs)}
    for found in judged.values():
        for name, content in found.metrics.items():
            known = metrics.get(name)
            metrics[name] = {**known, **content} if isinstance(known, dict) else content
    metrics["lift"] = {task: lifts for found in judged.values() for task, lifts in found.lifts.items()}
    return metrics


def notes(inputs: Inputs) -> dict[str, str]:
    """Returns what a reader must know before believing a figure."""
    found = {
        "intervals": "ci95: bootstrap over visitors (conversion, student, taxonomy, encoder) or people (tile_ranking)",
        "lift": "relative improvement over the baseline, paired; of log_loss its reduction, so positive is better",
    }
    if inputs.demo_bank:
        found["data"] = "the simulated demo bank: its figures show that the machinery works, nothing of real traffic"
    if inputs.labels is not None and "offline" in inputs.labels.models:
        found["teacher"] = "the offline teacher (keywords and clusters, no LLM): its labels show the machinery only"
    return found


def _judged(name: str, inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    try:
        found = TASKS[name](inputs, params, seed)
    except NotAvailableError as reason:
        print(f"evaluate: {name}: {reason}", flush=True)
        return Judgement({name: str(reason)})
    print(f"evaluate: {name}: done", flush=True)
    return found
