"""Airflow loads this file: the reports among its pages, behind its login, and a link from each task to its report."""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from pipelines.airflow_links import ReportLink
from pipelines.airflow_reports import app

CATEGORY = "Clicks to Intent"


class ReportsPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow has no types here
    """Champion, drift and retrainings in the navigation; a retraining's reports as a tab of its run."""

    name = "clicks_reports"
    fastapi_apps: ClassVar[list[Any]] = [{"app": app(), "url_prefix": "/reports", "name": "reports"}]
    external_views: ClassVar[list[Any]] = [
        {"name": "Champion", "href": "/reports/champion", "url_route": "champion", "category": CATEGORY},
        {"name": "Drift", "href": "/reports/drift", "url_route": "drift", "category": CATEGORY},
        {"name": "Retrainings", "href": "/reports/retrain", "url_route": "retrainings", "category": CATEGORY},
        {"name": "Reports", "href": "/reports/run/{RUN_ID}", "url_route": "run_reports", "destination": "dag_run"},
    ]
    global_operator_extra_links: ClassVar[list[Any]] = [ReportLink()]
