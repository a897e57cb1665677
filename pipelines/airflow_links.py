"""From a task in Airflow to the report that it wrote."""

from typing import Any, Final
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from pipelines import dvcfile, runs
from pipelines.airflow_tasks import ROOT

BESIDE: Final = {
    **dict.fromkeys(("gate", "approve_taxonomy", "approve", "promote"), "gate.html"),
    **dict.fromkeys(("renew_taxonomy", "relabel"), "taxonomy_diff.html"),
    "audit": "bench/audit.json",
}
"""The reports of a retraining's tasks that are no stages."""


class ReportLink(BaseOperatorLink):  # type: ignore[misc]  # Airflow has no types here
    """The address of a task's report; empty where it writes none."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        del operator
        return address(ti_key.dag_id, ti_key.task_id, ti_key.run_id)


def address(dag_id: str, task_id: str, run_id: str) -> str:
    """Returns where the plugin serves the report of a task; a page before figures."""
    if dag_id == "monitor":
        return "/reports/drift"
    if dag_id == "rollback":
        return "/reports/champion"
    if dag_id != "retrain":
        return ""
    written = BESIDE | {stage.name: _of(stage) for stage in dvcfile.read(ROOT / "dvc.yaml")}
    report = written.get(task_id, "")
    return f"/reports/retrain/{quote(runs.name_of(run_id))}/{report}" if report else ""


def _of(stage: dvcfile.Stage) -> str:
    reports = [out.removeprefix("reports/") for out in stage.outs if out.startswith("reports/")]
    pages = [name for name in reports if name.endswith(".html")]
    figures = [name for name in reports if name.endswith(".json")]
    return next(iter(pages + figures), "")
