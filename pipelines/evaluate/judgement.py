"""What a task of the evaluation hands back, and how it says that something it needs is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Rows = Sequence[Mapping[str, Any]]


class NotAvailableError(Exception):
    """The task cannot be judged on these data; the message says what it needs. Never leaves the stage."""

    def __str__(self) -> str:
        return f"not available: needs {self.args[0]}"


@dataclass(frozen=True)
class Judgement:
    """One task's part of reports/metrics.json and of reports/plots."""

    metrics: Mapping[str, Any]  # top-level key: content
    lifts: Mapping[str, Any] = field(default_factory=dict)  # task: {model_over_baseline: {metric: estimate}}
    curves: Mapping[str, Rows] = field(default_factory=dict)  # file name without ending: rows
