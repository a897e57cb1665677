"""The report's page, and what the dashboard keeps, of windows whose distributions are known."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from drifting import observed
from evidently.ui.workspace import Workspace

from pipelines.drift.calibration import Thresholds
from pipelines.drift.comparison import Finding, compare
from pipelines.drift.signals import SIGNALS, embeddings
from pipelines.monitor import dashboard
from pipelines.monitor.overview import overview
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
    weighing="1/n",
    growth=dict.fromkeys((signal.name for signal in SIGNALS), 0.0),
    limits=dict.fromkeys((signal.name for signal in SIGNALS), 4.0),
)


def test_a_page_is_the_same_every_time_and_loads_nothing() -> None:
    window, reference = observed(200, seed=1, loans=0.7), observed(900, seed=2)
    findings = compare(window, reference, THRESHOLDS)
    first, second = (
        page(snapshot(findings, window, reference, DAY), "Drift <b>", '<section class="head">') for _ in range(2)
    )
    assert first == second
    assert 'src="http' not in first
    assert '<body><section class="head">' in first
    assert "<title>Drift &lt;b&gt;</title>" in first


def summary(findings: list[Finding], **changed: object) -> dict[str, object]:
    return {
        "sentence": "No drift <b>",
        "drifted": any(one.drifted for one in findings),
        "alarm": False,
        "window": {"from": "2026-02-20", "to": "2026-02-23"},
        "n_sessions": 200,
        "n_reference": 900,
        "versions": {"version": "0001-a"},
    } | changed


def test_its_head_tells_each_signal_how_far_it_is_how_it_went_and_what_moved() -> None:
    findings = compare(observed(200, seed=1, loans=0.7), observed(900, seed=2), THRESHOLDS, {"loans": "Loans & more"})
    by_name = {one.signal: one for one in findings}
    assert by_name["intents"].drifted
    before = {
        DAY - timedelta(days=40): {"intents": 7.7},  # too long ago
        DAY - timedelta(days=2): {"intents": 0.625, "pages": 0.5},
        DAY: {"intents": 8.8},  # the report that this one takes the place of
        DAY + timedelta(days=1): {"intents": 9.9},
    }
    head = overview(summary(findings), findings, before, DAY)
    rows = {row.split("</td>")[0]: row for row in head.split("<tr") if 'class="label"' in row}
    assert len(rows) == len(SIGNALS)
    of_intents = next(row for name, row in rows.items() if name.endswith(">intents"))
    assert of_intents.startswith(" class=over")
    assert f'<td class="n">{by_name["intents"].reach:.2f}</td>' in of_intents
    assert "2026-02-20: 0.62" in of_intents
    assert of_intents.count("<circle") == 2
    assert "Loans &amp; more" in of_intents
    assert not any(gone in head for gone in (": 7.70", ": 8.80", ": 9.90", "<script", "No drift <b>"))
    assert sum("class=over" in row for row in rows.values()) == sum(one.drifted for one in findings)


@pytest.mark.parametrize(
    ("changed", "call"),
    [({"drifted": False}, "calm"), ({"drifted": True}, "drift"), ({"drifted": True, "alarm": True}, "alarm")],
)
def test_its_head_calls_a_day_calm_drift_or_alarm(changed: dict[str, bool], call: str) -> None:
    findings = compare(observed(60, seed=1), observed(120, seed=2), THRESHOLDS)
    assert f'<p class="call {call}">' in overview(summary(findings, **changed), findings, {}, DAY)


def test_a_region_of_the_embedding_is_called_by_its_commonest_intent() -> None:
    rows = observed(40, seed=1)
    columns = {"cell": [7] * 3 + [2] * 37, "intent": ["loans", "cards", "loans"] + ["cards"] * 37}
    abstained = [False] * 3 + [True] * 37
    table = rows
    for name, values in (columns | {"abstained": abstained}).items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, rows.schema.field(name), pa.array(values, rows.schema.field(name).type))
    assert embeddings.regions(table, {"loans": "Loans"}) == {"cell 7": "cell 7, mostly Loans"}


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
