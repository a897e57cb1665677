"""How a task of dags/ runs: one command line in the workspace's folder, by this environment's Python, telemetry off."""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk.exceptions import AirflowSkipException

from pipelines import runs, telemetry
from pipelines.airflow_alerts import FAILED, Alert

_NO_BYTECODE: Final = {"PYTHONDONTWRITEBYTECODE": "1"}
"""Python writes compiled modules without a look at how much was written: half a one, left by a full disk, would fail
every later try."""
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
    """Returns what the alarms that started a run say, with window and hashes; nothing where none did."""
    return " ".join(_said(event.extra) for found in events.values() for event in found if event.extra.get("sentence"))


def _said(extra: Mapping[str, Any]) -> str:
    hashes = ", ".join(f"{name} {value[:12]}" for name, value in extra["hashes"].items())
    return f"{extra['sentence']} Window {extra['window']['from']} to {extra['window']['to']}; SHA-256: {hashes}."


MACROS: Final[dict[str, Callable[..., str]]] = {"run_name": runs.name_of, "cause": cause, "because": because}
"""What the templates of a retraining's tasks call."""


def skip(ti: Any, reason: str) -> NoReturn:
    """Ends the task as skipped, with the reason in its log and as its XCom `skipped`, which the UI shows."""
    ti.xcom_push(key="skipped", value=reason)
    raise AirflowSkipException(reason)


class _Told(SubprocessHook):  # type: ignore[misc]  # Airflow has no types here
    """Keeps the last line that a command printed."""

    last = ""

    def run_command(self, *arguments: Any, **options: Any) -> Any:
        result = super().run_command(*arguments, **options)
        self.last = result.output
        return result


class ShellTask(BashOperator):  # type: ignore[misc]  # Airflow has no types here
    """A command line; where it leaves with 99, its last line, `command: reason`, says why it is skipped."""

    @cached_property
    def subprocess_hook(self) -> _Told:
        return _Told()

    def execute(self, context: Any) -> Any:
        try:
            return super().execute(context)
        except AirflowSkipException:
            skip(context["ti"], self.subprocess_hook.last.partition(": ")[2])


def shell_task(
    name: str,
    command: str,
    *,
    hours: float,
    description: str = "",
    cwd: str = str(ROOT),
    env: Mapping[str, str] | None = None,
    **arguments: Any,
) -> ShellTask:
    """Returns the task ``name`` that runs ``command`` (a template) in ``cwd`` and fails after ``hours``.

    Values that a person or another task gave go into ``env``, never into the command.
    """
    return ShellTask(
        task_id=name,
        bash_command=f'export PATH="$CLICKS_BIN:$PATH" && {command}',
        cwd=cwd,
        env={**telemetry.OFF, **_NO_BYTECODE, "CLICKS_BIN": str(Path(sys.executable).parent), **(env or {})},
        append_env=True,
        do_xcom_push=False,  # what a command prints last is for its log, not for Airflow's database
        execution_timeout=timedelta(hours=hours),
        doc_md=description,
        **arguments,
    )
