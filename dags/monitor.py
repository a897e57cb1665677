"""Every day: score yesterday's events with the champion, report how the last days drifted, announce an alarm.

All end (excluded) on the UTC day of the run, or on the day given as `to` when the DAG is triggered by hand. `score`
covers one day, in artifacts/scored/; `monitor` looks back `monitor.window_days` of params.yaml and scores only the days
that are not there. `alarm` is skipped, and says why, unless the report is an alarm that is to start something: then it
emits an event of the asset `drift`. A backfill announces nothing: two days after its day, an alarm is stale.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param

from pipelines import params
from pipelines.airflow_assets import DRIFT
from pipelines.airflow_tasks import DEFAULTS, ROOT, shell_task, skip
from pipelines.drift import policy
from pipelines.paths import Workspace

# A run triggered by hand has no logical date and so no data interval; every run has the time it was due.
END = "(params.to or (dag_run.data_interval_end or dag_run.run_after).strftime('%Y-%m-%d'))"
TO, DAY = f"{{{{ {END} }}}}", f"{{{{ macros.ds_add({END}, -1) }}}}"
ASKED = "{{ 'yes' if params.to and dag_run.run_type == 'manual' else 'no' }}"  # a day that a person names, be it past


def alarm(day: str, asked: str, ti: Any = None, outlet_events: Any = None) -> None:
    """An event of the asset `drift`, if the report of the day is an alarm that is to start something."""
    workspace, last = Workspace(ROOT), date.fromisoformat(day)
    cooldown_days = params.load(workspace.params).monitor.cooldown_days
    decided = policy.decide(workspace.drift, last, datetime.now(UTC).date(), cooldown_days, asked == "yes")
    if not decided.announce:
        skip(ti, decided.reason)
    policy.keep(workspace.drift, last)
    outlet_events[DRIFT].extra = dict(decided.extra)


with DAG(
    dag_id="monitor",
    description="Score yesterday with the champion, then a drift report of the last days, and an alarm",
    doc_md=__doc__,
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 5, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    params={"to": Param(None, type=["null", "string"], format="date", description="First day no longer read")},
    tags=["monitoring"],
):
    score = shell_task(
        "score",
        f"exec python -m pipelines score --from {DAY} --to {TO} --output artifacts/scored",
        hours=2,
        description="Sessions, embeddings and intents of the day",
    )
    monitor = shell_task(
        "monitor", f"exec python -m pipelines monitor --to {TO}", hours=2, description="Drift report of the last days"
    )
    announce = PythonOperator(
        task_id="alarm",
        python_callable=alarm,
        op_kwargs={"day": DAY, "asked": ASKED},
        outlets=[DRIFT],
        execution_timeout=timedelta(minutes=5),
        doc_md="An event of the asset `drift`, or the reason why there is none",
    )
    score >> monitor >> announce
