"""reports/evidently: a snapshot of every drift report, and the dashboard that shows how the signals went."""

from pathlib import Path
from typing import Final

from evidently.core.report import Snapshot
from evidently.sdk.models import PanelMetric
from evidently.sdk.panels import line_plot_panel
from evidently.ui.workspace import Project, Workspace

from pipelines.drift.signals import SIGNALS
from pipelines.monitor.metric import ALIAS

PROJECT: Final = "Drift"
PANELS: Final = {
    "What sessions are about": ("embeddings", "novelty", "intents", "subjects", "confidence", "abstention"),
    "What they saw and did": ("pages", "unseen_pages", "areas", "event_types", "session_length", "pace"),
    "Where they come from": ("channels", "entries", "fields"),
    "Data quality": ("gaps", "missing"),
}
"""Signals by panel; a signal that none names has one of its own."""


def add(folder: Path, shown: Snapshot, day: str) -> None:
    """Puts the snapshot of ``day`` in place of any former one of that day, and draws the dashboard anew."""
    workspace = Workspace.create(str(folder))
    project = next(iter(workspace.search_project(PROJECT)), None) or workspace.create_project(
        PROJECT, description="Windows against the champion's reference; above 1 a signal is beyond its limit"
    )
    for known in workspace.list_runs(project.id):
        if workspace.get_run(project.id, known).name == day:
            workspace.delete_run(project.id, known)
    workspace.add_run(project.id, shown, name=day)
    _draw(project)


def _draw(project: Project) -> None:
    project.dashboard.clear_dashboard()
    labels = {signal.name: signal.label for signal in SIGNALS}
    rest = {labels[name]: (name,) for name in labels if not any(name in panel for panel in PANELS.values())}
    for title, names in (PANELS | rest).items():
        values = [
            PanelMetric(metric=ALIAS, metric_labels={"signal": name}, legend=labels[name])
            for name in names
            if name in labels
        ]
        project.dashboard.add_panel(
            line_plot_panel(title, values, description="Distance in limits; above 1: drift", size="half")
        )
