"""What a retraining asks in Airflow before it promotes: about the taxonomy, where it changed; then about the whole."""

import re
from abc import abstractmethod
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from pipelines import params, runs, verdict
from pipelines.airflow_alerts import AWAITED, Alert
from pipelines.airflow_tasks import ROOT
from pipelines.paths import Workspace
from pipelines.runs import Run
from pipelines.verdict import Verdict


class Question(ApprovalOperator):  # type: ignore[misc]  # Airflow has no types here
    """Asks a person; silence is no. With `retrain.approval: policy` the gate's verdict is the answer."""

    template_fields = ("subject", "run_name")

    def __init__(self, *, run_name: str, **options: Any) -> None:
        super().__init__(defaults="Reject", notifiers=Alert(AWAITED), **options)
        self.run_name = run_name

    @abstractmethod
    def text(self, run: Run, found: Verdict) -> str | None:
        """Returns what the form shows, or None where there is nothing to ask."""

    def execute(self, context: Any) -> Any:
        root = Workspace(ROOT)
        retrain = params.load(root.params).retrain
        run = next(one for one in runs.known(root) if one.name == self.run_name)
        found = verdict.read(Workspace(runs.folder(root, self.run_name)))
        self.body = self.text(run, found)
        if self.body is None:
            raise AirflowSkipException("the taxonomy is the champion's: nothing to ask")
        self.log.info("%s", self.body)
        if retrain.approval == "policy":
            self.log.info("approved by policy (retrain.approval), since the gate passed it")
            return None
        self.response_timeout = timedelta(days=retrain.answer_days)
        return super().execute(context)


class TaxonomyQuestion(Question):
    """Whether labels may change their meaning: asked only where the challenger's taxonomy is not the champion's."""

    def text(self, run: Run, found: Verdict) -> str | None:
        if not found.taxonomy.changed:
            return None
        lines = [f"- {plain(line)}" for line in found.taxonomy.lines]
        begin = f"The challenger labels by another taxonomy than champion {run.champion}:"
        return "\n".join([begin, "", *lines, "", f"[All of its intents]({link(run, 'taxonomy.html')})"])


class PromotionQuestion(Question):
    """Whether the challenger becomes the champion."""

    def text(self, run: Run, found: Verdict) -> str | None:
        why = f"Started by {'an alarm' if run.cause == 'alarm' else f'a {run.cause}'}. {plain(run.because)}".strip()
        window = f"Events from {run.window[0] or 'the first'} to {run.window[1] or 'the last'}; profile {run.profile}."
        return "\n\n".join(
            [verdict.markdown(found, link(run, "gate.html")), why, f"New: {'; '.join(run.new)}. {window}"]
        )


def plain(text: str) -> str:
    """Returns ``text``, which may hold page titles, as Markdown that shows it and nothing else: no link, no picture."""
    return re.sub(r"([^\w\s.,:;%?])", r"\\\1", " ".join(text.split()))


def link(run: Run, report: str) -> str:
    """Returns the address of a report of ``run``, as the plugin serves it."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/reports/retrain/{run.name}/{report}"
