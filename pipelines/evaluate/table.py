"""The result table of reports/metrics.json as Markdown: ``python -m pipelines.evaluate.table [--readme README.md]``."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipelines.errors import PipelineError, TableError
from pipelines.paths import Workspace

START, END = "<!-- results -->", "<!-- /results -->"

Columns = Mapping[str, str]  # metric: heading
HEADINGS: Final[Mapping[str, tuple[str, Columns]]] = {
    "tile_ranking": ("Tile ranking", {"macro_recall_at_1": "macro Recall@1", "log_loss": "log loss"}),
    "tile_ranking_new_people": (
        "Tile ranking, people without a decision in training",
        {"macro_recall_at_1": "macro Recall@1", "log_loss": "log loss"},
    ),
    "tile_ranking_web_history": (
        "Tile ranking, decisions with a web session to read",
        {"macro_recall_at_1": "macro Recall@1", "log_loss": "log loss"},
    ),
    "conversion": (
        "Conversion",
        {"micro_f1": "micro F1", "macro_f1": "macro F1", "average_precision": "average precision"},
    ),
}
LIFTS: Final = (
    ("tile_ranking", "embedding_over_page_counts"),
    ("tile_ranking", "embedding_over_app_only"),
    ("tile_ranking", "linked_needs_over_app_only"),
    ("conversion", "embedding_over_page_counts"),
    ("conversion", "embedding_over_teacher_labels"),
    ("conversion", "student_labels_over_teacher_labels"),
)
LIFTED: Final = {
    "macro_recall_at_1": "macro Recall@1",
    "log_loss": "log loss",
    "micro_f1": "micro F1",
    "average_precision": "average precision",
}
"""The metrics whose lifts are shown; macro F1 of products that few sessions lead to says the least."""
TRUTH: Final = (
    "Made of the truth: linked needs reads the true needs of the web sessions that the models read, current needs "
    "those at the decision, oracle the probabilities that the clicks were drawn from."
)
INTERVALS: Final = (
    "In brackets: 95 % intervals by resampling visitors; where one includes zero there is no lift. Lifts are relative; "
    "of log loss, its reduction."
)
STUDENT: Final = {
    "fidelity_micro_f1": "micro F1 against its teacher",
    "fidelity_macro_f1": "macro F1 against its teacher",
    "drop": "drop: what it loses of a teacher that repeats itself",
    "ceiling_micro_f1": "a second labelling against the teacher's, micro F1",
    "ece": "expected calibration error, all intents",
    "ece_top_intent": "expected calibration error, most probable intent",
    "brier": "Brier score, summed over intents",
    "answered_share": "share of sessions that it answers",
    "answered_accuracy": "of these, most probable intent is one of the teacher's",
}
BRIEF: Final = ("fidelity_micro_f1", "drop", "ceiling_micro_f1", "ece_top_intent")
"""The rows of the student that a README has room for."""
TRUE: Final = {"teacher": "the teacher", "student": "the student", "commonest_need": "always the commonest need"}


def markdown(metrics: Mapping[str, Any]) -> str:
    """Returns the tables: models by task, lifts, the student; marked where the figures show machinery only."""
    parts = [_marks(metrics["notes"])]
    parts += [_models(metrics, task) for task in HEADINGS]
    parts += [_lifts(metrics["lift"]), _student(metrics["student"]), _explained(metrics)]
    return "\n\n".join(part for part in parts if part) + "\n"


def summary(metrics: Mapping[str, Any]) -> str:
    """Returns what a README has room for: tile ranking, the lifts, the student, marked as the tables are."""
    parts = [_marks(metrics["notes"]), _models(metrics, "tile_ranking"), _lifts(metrics["lift"])]
    parts += [_student(metrics["student"], BRIEF), _explained(metrics)]
    return "\n\n".join(part for part in parts if part) + "\n"


def rewritten(readme: str, table: str) -> str:
    """Returns ``readme`` with ``table`` between its ``<!-- results -->`` and ``<!-- /results -->`` lines.

    Raises:
        TableError: there is not exactly one such pair.
    """
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in after or END in after:
        raise TableError(f"README: expected one line {START} and one line {END} below it, where the table goes")
    return f"{before}{START}\n\n{table}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, or rewrites the README; returns 0, or 1 with one message."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluate.table", description="The result table.")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of reports/metrics.json")
    parser.add_argument("--readme", type=Path, help="write a summary between the marks of this file, print nothing")
    options = parser.parse_args(arguments)
    try:
        metrics = _read(Workspace(options.root.resolve()).metrics)
        if options.readme is None:
            print(markdown(metrics), end="")
        else:
            _rewrite(options.readme, summary(metrics))
    except PipelineError as error:
        print(f"table: {error}", file=sys.stderr)
        return 1
    return 0


def _read(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TableError(f"{path} is missing: run `python -m pipelines evaluate` first") from None
    assert isinstance(metrics, dict)
    return metrics


def _rewrite(readme: Path, table: str) -> None:
    try:
        text = readme.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TableError(f"{readme} is missing: name a Markdown file with a line {START}") from None
    readme.write_text(rewritten(text, table), encoding="utf-8")


def _marks(notes: Mapping[str, str]) -> str:
    return "\n".join(f"> **{name}**: {notes[name]}" for name in ("data", "teacher") if name in notes)


def _models(metrics: Mapping[str, Any], task: str) -> str:
    title, columns = HEADINGS[task]
    found = metrics.get(task)
    if found is None:
        return ""
    if isinstance(found, str):
        return f"**{title}**: {found}"
    lines = [f"| {title} | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
    for model, by_metric in found.items():
        if isinstance(by_metric, str):
            lines.append(f"| {_words(model)} | {by_metric} |" + " |" * (len(columns) - 1))
        else:
            lines.append(f"| {_words(model)} | {' | '.join(_estimate(by_metric[metric]) for metric in columns)} |")
    return "\n".join(lines)


def _lifts(lifts: Mapping[str, Any]) -> str:
    rows = [
        f"| {_words(task)}: {_words(pair)} | {_improvements(lifts[task][pair])} |"
        for task, pair in LIFTS
        if pair in lifts.get(task, {})
    ]
    return "\n".join(["| Lift | |", "|---|---|", *rows]) if rows else ""


def _improvements(by_metric: Mapping[str, Any]) -> str:
    shown = [(words, by_metric[metric]) for metric, words in LIFTED.items() if metric in by_metric]
    return "; ".join(f"{words} {_percent(estimate)}" for words, estimate in shown)


def _explained(metrics: Mapping[str, Any]) -> str:
    models = metrics["tile_ranking"]
    return f"{INTERVALS} {TRUTH}" if isinstance(models, dict) and "oracle" in models else INTERVALS


def _student(student: Any, names: Iterable[str] = tuple(STUDENT)) -> str:
    if isinstance(student, str):
        return f"**Student**: {student}"
    rows = [f"| {STUDENT[name]} | {_estimate(student[name])} |" for name in names]
    truth = student.get("truth_accuracy", {})
    if not isinstance(truth, str):
        rows += [f"| true need found: {TRUE[name]} | {_estimate(found)} |" for name, found in truth.items()]
    return "\n".join(["| Student | |", "|---|---|", *rows])


def _estimate(estimate: Any) -> str:
    if isinstance(estimate, str):
        return estimate
    if estimate["value"] is None:
        return "undefined"
    low, high = estimate["ci95"]
    return f"{estimate['value']:.4f} [{low:.4f}, {high:.4f}]"


def _percent(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "undefined"
    low, high = estimate["ci95"]
    return f"{estimate['value']:+.1%} [{low:+.1%}, {high:+.1%}]"


def _words(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
