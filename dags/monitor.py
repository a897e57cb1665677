"""Every day: score yesterday's events with the champion, then report how the last days drifted from its reference.

Both end (excluded) on the UTC day of the run, or on the day given as `to` when the DAG is triggered by hand. `score`
covers one day, whose tables lie in artifacts/scored/DAY; `monitor` looks back `monitor.window_days` of params.yaml.
"""

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from pipelines.airflow_tasks import DEFAULTS, shell_task

# A run triggered by hand has no logical date and so no data interval; every run has the time it was due.
END = "(params.to or (dag_run.data_interval_end or dag_run.run_after).strftime('%Y-%m-%d'))"
TO, DAY = f"{{{{ {END} }}}}", f"{{{{ macros.ds_add({END}, -1) }}}}"

with DAG(
    dag_id="monitor",
    description="Score yesterday with the champion, then a drift report of the last days",
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
        f"exec python -m pipelines score --from {DAY} --to {TO} --output artifacts/scored/{DAY}",
        hours=2,
        description="Sessions, embeddings and intents of the day",
    )
    monitor = shell_task(
        "monitor", f"exec python -m pipelines monitor --to {TO}", hours=2, description="Drift report of the last days"
    )
    score >> monitor
