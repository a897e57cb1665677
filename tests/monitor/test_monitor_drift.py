"""The report's page, and what the dashboard keeps, of windows whose distributions are known."""

from datetime import date
from pathlib import Path

from drifting import observed
from evidently.ui.workspace import Workspace

from pipelines.drift.calibration import Thresholds
from pipelines.drift.comparison import compare, sentence
from pipelines.drift.signals import SIGNALS
from pipelines.monitor import dashboard
from pipelines.monitor.report import page, snapshot

DAY = date(2026, 2, 22)
THRESHOLDS = Thresholds(
    false_alarm_rate=0.05,
    window_days=7,
    n_splits=1,
    n_sessions=1,
    n_visitors=1,
    n_effective=1000,
    seed=7,
    growth=dict.fromkeys((signal.name for signal in SIGNALS), 0.0),
    limits=dict.fromkeys((signal.name for signal in SIGNALS), 4.0),
)


def test_a_page_is_the_same_every_time_loads_nothing_and_says_what_drifted() -> None:
    window, reference = observed(200, seed=1, loans=0.7), observed(900, seed=2)
    findings = compare(window, reference, THRESHOLDS)
    said = f"{sentence(findings, [])} <b>"
    first, second = (page(snapshot(findings, window, reference, DAY), said) for _ in range(2))
    assert first == second
    assert 'src="http' not in first
    assert "<body><p" in first
    assert "&lt;b&gt;" in first


def test_a_day_reported_again_takes_the_place_of_its_snapshot(tmp_path: Path) -> None:
    window, reference = observed(60, seed=1), observed(120, seed=2)
    findings = compare(window, reference, THRESHOLDS)
    for day in ("2026-02-21", "2026-02-22", "2026-02-22"):
        dashboard.add(tmp_path, snapshot(findings, window, reference, date.fromisoformat(day)), day)
    kept = Workspace(str(tmp_path))
    project = kept.list_projects()[0]
    assert len(kept.list_runs(project.id)) == 2
    shown = [value.metric_labels["signal"] for panel in project.dashboard.model().panels for value in panel.values]
    assert sorted(shown) == sorted(signal.name for signal in SIGNALS), "each signal is on one panel"


def test_a_signal_is_one_metric_whatever_its_score_so_that_its_days_make_a_line() -> None:
    reference, metrics, scores = observed(120, seed=2), [], []
    for seed in (1, 3):
        window = observed(60, seed=seed)
        shown = snapshot(compare(window, reference, THRESHOLDS), window, reference, DAY).dict()
        found = [one for one in shown["metrics"] if one["metric_name"].startswith("SignalScore")]
        metrics.append([one["id"] for one in found])
        scores.append([one["value"] for one in found])
    assert metrics[0] == metrics[1]
    assert len(metrics[0]) == len(SIGNALS)
    assert scores[0] != scores[1]
