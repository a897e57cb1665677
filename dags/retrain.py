"""Every week, or when drift alarms: a challenger in a workspace of its own; after gate and approval, the new champion.

`workspace` takes the data and settings of now; where the champion was made of the same, the run ends there as skipped.
The stages and their order come from dvc.yaml: one added there appears here by itself, and DVC skips what did not
change. A taxonomy that the stage of that name proposes is asked about before anything is labelled by it. One run and
one task at a time. Nothing before `promote` touches the champion, and nothing at all the branch, the index or the files
of whoever works in the repository.
"""

import shlex
from datetime import UTC, datetime

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, TriggerRule

from pipelines import dvcfile
from pipelines.airflow_approval import RENEWAL, PromotionQuestion, TaxonomyQuestion
from pipelines.airflow_assets import DRIFT
from pipelines.airflow_tasks import DEFAULTS, MACROS, ROOT, RUN, RUN_FOLDER, shell_task
from pipelines.approve.question import RenewalQuestion

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
    renewal = RenewalQuestion(
        task_id=RENEWAL,
        subject="The proposed taxonomy? Retraining {{ run_name(run_id) }}",
        doc_md="Asked only where the stage proposes one, since the approved one fits no longer",
    )
    relabel = shell_task(
        "relabel",
        "exec dvc repro --single-item taxonomy",
        hours=12,
        description="Labels by the taxonomy that was approved just now",
        cwd=RUN_FOLDER,
    )
    stages["taxonomy"] >> renewal >> relabel
    for name, awaited in dvcfile.upstream(STAGES).items():
        stages[name] << ([stages[other] for other in awaited] or workspace)
        if "taxonomy" in awaited:
            stages[name] << relabel
            stages[name].trigger_rule = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS  # mostly nothing is proposed
    audit = shell_task(
        "audit",
        f"exec python -m pipelines audit --challenger .work/retrain/{RUN}",
        hours=12,
        description="A new encoder over seeds, and what two random inputs cost it; profile `fast` skips it",
        retries=0,
    )
    gate = shell_task(
        "gate",
        f"exec python -m pipelines gate --challenger .work/retrain/{RUN}",
        hours=2,
        description="Beside the champion on the same sessions; a challenger that is worse fails here",
        retries=0,
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # audited or not
    )
    last = [task for task in stages.values() if not task.downstream_list]
    last >> audit >> gate
    last >> gate
    taxonomy = TaxonomyQuestion(
        task_id="approve_taxonomy",
        subject="Another taxonomy? Retraining {{ run_name(run_id) }}",
        doc_md="Asked only where the intents are not the champion's, and this run did not ask before",
    )
    approval = PromotionQuestion(
        task_id="approve",
        subject="The new champion? Retraining {{ run_name(run_id) }}",
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
