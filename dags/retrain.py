"""Every week, or when drift alarms: a challenger in a workspace of its own; after gate and approval, the new champion.

`workspace` takes the data and settings of now; where the champion was made of the same, the run ends there as skipped.
The stages and their order come from dvc.yaml: one added there appears here by itself, and DVC skips what did not
change. One run and one task at a time. Nothing before `promote` touches the champion, and nothing at all the branch,
the index or the files of whoever works in the repository.
"""

import shlex
from datetime import UTC, datetime

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, TriggerRule

from pipelines import dvcfile
from pipelines.airflow_approval import PromotionQuestion, TaxonomyQuestion
from pipelines.airflow_assets import DRIFT
from pipelines.airflow_tasks import DEFAULTS, MACROS, ROOT, RUN, RUN_FOLDER, shell_task

STAGES = dvcfile.read(ROOT / "dvc.yaml")
DAY = {"type": ["null", "string"], "format": "date"}

with DAG(
    dag_id="retrain",
    description="Raw events to a challenger; gate, approval, and then the new champion",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 3 * * 1", timezone="UTC"), assets=[DRIFT]),
    start_date=datetime(2026, 1, 5, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=1,
    default_args=DEFAULTS,
    user_defined_macros=MACROS,
    params={
        "from": Param(None, **DAY, description="First UTC day of events; empty: as in params.yaml"),
        "to": Param(None, **DAY, description="First UTC day no longer read; empty: as in params.yaml"),
        "profile": Param("full", enum=["full", "fast"], description="fast: with the values of `retrain.fast`"),
    },
    tags=["training"],
):
    workspace = shell_task(
        "workspace",
        'exec python -m pipelines retrain --run="$RUN" ${FROM:+--from="$FROM"} ${TO:+--to="$TO"} '
        '--profile="$PROFILE" --cause="$CAUSE" --because="$BECAUSE"',
        hours=4,
        description="A git worktree with the data and settings of now; skipped where nothing is new",
        env={
            "RUN": RUN,
            "FROM": "{{ params['from'] or '' }}",
            "TO": "{{ params.to or '' }}",
            "PROFILE": "{{ params.profile }}",
            "CAUSE": "{{ cause(dag_run) }}",
            "BECAUSE": "{{ because(triggering_asset_events) }}",
        },
    )
    stages = {
        stage.name: shell_task(
            stage.name,
            f"exec dvc repro --single-item {shlex.quote(stage.name)}",
            hours=12,
            description=stage.description,
            cwd=RUN_FOLDER,
        )
        for stage in STAGES
    }
    for name, awaited in dvcfile.upstream(STAGES).items():
        stages[name] << ([stages[other] for other in awaited] or workspace)
    gate = shell_task(
        "gate",
        f"exec python -m pipelines gate --challenger .work/retrain/{RUN}",
        hours=2,
        description="Beside the champion on the same sessions; a challenger that is worse fails here",
        retries=0,
    )
    [task for task in stages.values() if not task.downstream_list] >> gate
    taxonomy = TaxonomyQuestion(
        task_id="approve_taxonomy",
        subject="Retraining {{ run_name(run_id) }}: another taxonomy?",
        run_name=RUN,
        doc_md="Asked only where the intents are not the champion's",
    )
    approval = PromotionQuestion(
        task_id="approve",
        subject="Retraining {{ run_name(run_id) }}: the new champion?",
        run_name=RUN,
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # where nothing is new, nobody is asked
        doc_md="A person's yes, or the gate's by `retrain.approval: policy`; silence is no",
    )
    promote = shell_task(
        "promote",
        f"exec python -m pipelines promote --challenger .work/retrain/{RUN}",
        hours=1,
        description="Branch, tag, DVC remote; champion.json last",
    )
    gate >> taxonomy >> approval >> promote
    gate >> approval
