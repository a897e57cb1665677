"""How a task of dags/ runs: one command line in the workspace's folder, by this environment's Python, telemetry off."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from airflow.providers.standard.operators.bash import BashOperator

from pipelines import telemetry

ROOT: Final = Path(os.environ.get("CLICKS_ROOT") or Path(__file__).parents[1]).resolve()
"""The workspace, a clone of the repository: CLICKS_ROOT, or the one this file lies in."""

DEFAULTS: Final[dict[str, Any]] = {
    "owner": "clicks-to-intent",
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
}
"""Arguments of every task."""


def shell_task(name: str, command: str, *, hours: float, description: str = "") -> BashOperator:
    """Returns the task ``name`` that runs ``command`` (a template) in ROOT and fails after ``hours``."""
    return BashOperator(
        task_id=name,
        bash_command=f'export PATH="$CLICKS_BIN:$PATH" && {command}',
        cwd=str(ROOT),
        env={**telemetry.OFF, "CLICKS_BIN": str(Path(sys.executable).parent)},
        append_env=True,
        execution_timeout=timedelta(hours=hours),
        doc_md=description,
    )
