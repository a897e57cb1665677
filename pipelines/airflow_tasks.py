"""How a task of dags/ runs: one command line in the workspace's folder, by this environment's Python, telemetry off."""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from airflow.providers.standard.operators.bash import BashOperator

from pipelines import runs, telemetry
from pipelines.airflow_alerts import FAILED, Alert

ROOT: Final = Path(os.environ.get("CLICKS_ROOT") or Path(__file__).parents[1]).resolve()
"""The workspace, a clone of the repository: CLICKS_ROOT, or the one this file lies in."""

DEFAULTS: Final[dict[str, Any]] = {
    "owner": "clicks-to-intent",
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "on_failure_callback": Alert(FAILED),
}
"""Arguments of every task."""

RUN: Final = "{{ run_name(run_id) }}"
RUN_FOLDER: Final = f"{ROOT}/.work/retrain/{RUN}"
"""Templates: the name and the workspace of a retraining, by its MACROS."""


def cause(dag_run: Any) -> runs.Cause:
    """Returns who started a run, as `retrain --cause` takes it."""
    known: Mapping[str, runs.Cause] = {"scheduled": "schedule", "asset_triggered": "alarm"}
    return known.get(str(getattr(dag_run.run_type, "value", dag_run.run_type)), "person")


def because(events: Mapping[Any, Any]) -> str:
    """Returns what the alarms that started a run say; nothing where none did."""
    sentences = [event.extra.get("sentence", "") for found in events.values() for event in found]
    return " ".join(sentence for sentence in sentences if sentence)


MACROS: Final[dict[str, Callable[..., str]]] = {"run_name": runs.name_of, "cause": cause, "because": because}
"""What the templates of a retraining's tasks call."""


def shell_task(
    name: str,
    command: str,
    *,
    hours: float,
    description: str = "",
    cwd: str = str(ROOT),
    env: Mapping[str, str] | None = None,
    **arguments: Any,
) -> BashOperator:
    """Returns the task ``name`` that runs ``command`` (a template) in ``cwd`` and fails after ``hours``.

    Values that a person or another task gave go into ``env``, never into the command.
    """
    return BashOperator(
        task_id=name,
        bash_command=f'export PATH="$CLICKS_BIN:$PATH" && {command}',
        cwd=cwd,
        env={**telemetry.OFF, "CLICKS_BIN": str(Path(sys.executable).parent), **(env or {})},
        append_env=True,
        do_xcom_push=False,  # what a command prints last is for its log, not for Airflow's database
        execution_timeout=timedelta(hours=hours),
        doc_md=description,
        **arguments,
    )
