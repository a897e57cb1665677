"""reports/plots: tables for ``dvc plots`` and pictures for people. The same figures give the same bytes."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

from pipelines.evaluate.judgement import Rows

STYLE: Final = {"font.family": "DejaVu Sans", "svg.hashsalt": "", "axes.spines.top": False, "axes.spines.right": False}
STRAIGHT_TO: Final = 100.0
"""% from which on a lift is drawn on a logarithmic scale: over a baseline that knows nothing it is thousands."""
METRIC_NAMES: Final = {
    "macro_recall_at_1": "macro Recall@1",
    "log_loss": "log loss (reduction)",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "average_precision": "average precision",
}


def write(folder: Path, metrics: Mapping[str, Any], curves: Mapping[str, Rows]) -> None:
    """Writes every table as CSV, and the lifts and the student's reliability as pictures too, to ``folder``."""
    folder.mkdir(parents=True)
    tables = {**curves, "lift": lift_rows(metrics), "models": model_rows(metrics)}
    for name, rows in tables.items():
        if rows:
            _write_csv(folder / f"{name}.csv", rows)
    with matplotlib.rc_context(STYLE):
        if tables["lift"]:
            _save(lift_picture(tables["lift"], metrics), folder / "lift.png")
        if "reliability" in curves:
            _save(reliability_picture(curves["reliability"], metrics), folder / "reliability.png")
        if "coverage" in curves:
            _save(coverage_picture(curves["coverage"], metrics), folder / "coverage.png")


def lift_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns one row a lift: task, comparison, metric, value, low, high."""
    return [
        {"task": task, "comparison": comparison, "metric": metric, **_numbers(estimate)}
        for task, comparisons in metrics["lift"].items()
        for comparison, by_metric in comparisons.items()
        for metric, estimate in by_metric.items()
        if estimate["value"] is not None
    ]


def model_rows(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns one row a model's metric: task, model, metric, value, low, high."""
    return [
        {"task": task, "model": model, "metric": metric, **_numbers(estimate)}
        for task in metrics["lift"]
        for model, by_metric in metrics[task].items()
        if isinstance(by_metric, dict)
        for metric, estimate in by_metric.items()
        if estimate["value"] is not None
    ]


def lift_picture(rows: Rows, metrics: Mapping[str, Any]) -> Figure:
    """Returns one panel a task: every lift with its interval; what crosses the line may be no lift at all."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    heights = [1 + sum(row["task"] == task for row in rows) for task in tasks]
    figure = Figure(figsize=(8, 0.24 * sum(heights) + 1.2), layout="constrained")
    panels = figure.subplots(len(tasks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, task in zip(panels, tasks, strict=True):
        shown = [row for row in rows if row["task"] == task]
        values = [100 * row["value"] for row in shown]
        below = [100 * (row["value"] - row["low"]) for row in shown]
        above = [100 * (row["high"] - row["value"]) for row in shown]
        names = [f"{row['comparison'].replace('_over_', ' over ')}: {METRIC_NAMES[row['metric']]}" for row in shown]
        # a percentile interval of a ratio need not hold the sample's own value
        bars = [[max(size, 0.0) for size in side] for side in (below, above)]
        panel.errorbar(values, range(len(shown)), xerr=bars, fmt="o", markersize=3, linewidth=1)
        panel.axvline(0, color="grey", linewidth=0.8)
        if max(value + size for value, size in zip(values, bars[1], strict=True)) > 5 * STRAIGHT_TO:
            panel.set_xscale("symlog", linthresh=STRAIGHT_TO)
            panel.set_xticks(
                [-100, -50, 0, 50, 100, 1_000, 10_000], ["-100", "-50", "0", "50", "100", "1,000", "10,000"]
            )
        panel.set_yticks(range(len(shown)), names, fontsize=7)
        panel.set_title(task.replace("_", " "), fontsize=9, loc="left")
        panel.invert_yaxis()
    panels[-1].set_xlabel("improvement over the baseline, % (95 % intervals)", fontsize=8)
    figure.suptitle(_headline("What a signal adds", metrics), fontsize=9)
    return figure


def reliability_picture(rows: Rows, metrics: Mapping[str, Any]) -> Figure:
    """Returns the student's probabilities against the teacher's scores; on the line they mean what they say."""
    figure = Figure(figsize=(5, 5), layout="constrained")
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    sizes = [8 + 60 * (row["n"] / max(other["n"] for other in rows)) ** 0.5 for row in rows]
    panel.scatter([row["probability"] for row in rows], [row["teacher"] for row in rows], s=sizes)
    panel.set(xlim=(0, 1), ylim=(0, 1), xlabel="student's probability", ylabel="teacher's score")
    figure.suptitle(_headline("Reliability of the student, test sessions", metrics), fontsize=9)
    return figure


def coverage_picture(rows: Rows, metrics: Mapping[str, Any]) -> Figure:
    """Returns how right the student is among its surest sessions; the mark is where it stands by its costs."""
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    panel = figure.subplots()
    shares = [row["coverage"] for row in rows]
    panel.fill_between(shares, [row["low"] for row in rows], [row["high"] for row in rows], alpha=0.2, linewidth=0)
    panel.plot(shares, [row["accuracy"] for row in rows], marker="o", markersize=3, linewidth=1.2)
    share, accuracy = (metrics["student"][name]["value"] for name in ("answered_share", "answered_accuracy"))
    panel.plot([share], [accuracy], marker="D", color="C3", linestyle="none", label="as it abstains (distill.costs)")
    panel.set(xlim=(0, 1.02), xlabel="share of the sessions that are answered, the surest first")
    panel.set_ylabel("top intent is one of the teacher's")
    panel.legend(frameon=False, fontsize=8, loc="lower left")
    panel.grid(axis="y", linewidth=0.3)
    figure.suptitle(_headline("Coverage and accuracy of the student, test sessions", metrics), fontsize=9)
    return figure


def _headline(title: str, metrics: Mapping[str, Any]) -> str:
    marks = {"data": "simulated bank", "teacher": "offline teacher"}
    found = [mark for note, mark in marks.items() if note in metrics["notes"]]
    return f"{title}\n({', '.join(found)}: machinery only)" if found else title


def _numbers(estimate: Mapping[str, Any]) -> dict[str, float]:
    low, high = estimate["ci95"]
    return {"value": estimate["value"], "low": low, "high": high}


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})  # the version in it would change the bytes


def _write_csv(path: Path, rows: Rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
