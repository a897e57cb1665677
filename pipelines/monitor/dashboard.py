"""reports/evidently: a snapshot of every drift report, and the dashboard that shows how the signals went."""

from pathlib import Path
from typing import Final

from evidently.core.report import Snapshot
from evidently.sdk.models import PanelMetric
from evidently.sdk.panels import line_plot_panel
from evidently.ui.workspace import Project, Workspace

from pipelines.monitor.metric import ALIAS
from pipelines.monitor.panels import LABELS, PANELS

PROJECT: Final = "Drift"


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
    for title, names in PANELS.items():
        values = [PanelMetric(metric=ALIAS, metric_labels={"signal": name}, legend=LABELS[name]) for name in names]
        project.dashboard.add_panel(
            line_plot_panel(title, values, description="Distance in limits; above 1: drift", size="half")
        )
