"""A drift report of the tiny run's last days, and which days a report is about."""

import json
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from tiny import hashes

from pipelines import champion, params, schemas
from pipelines.drift.signals import SIGNALS
from pipelines.errors import ChampionError, ParamsError, TableError
from pipelines.monitor import stage, window
from pipelines.monitor.pages import index
from pipelines.monitor.stage import run as monitor
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote
from pipelines.score.stage import missing
from pipelines.score.stage import run as score
from pipelines.tables import write_table


@pytest.fixture(scope="module")
def workspace(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The finished run, promoted."""
    root = tmp_path_factory.mktemp("monitor")
    shutil.copytree(tiny_run.artifacts, root / "artifacts")
    shutil.copyfile(tiny_run.params, root / "params.yaml")
    shutil.copytree(tiny_run.data, root / "data")
    promote(Workspace(root), params.load(root / "params.yaml"))
    return Workspace(root)


def test_a_report_says_what_was_compared_and_is_the_same_again(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = params.load(workspace.params)
    monitor(workspace, settings, from_=date(2026, 1, 12), to=date(2026, 1, 19))
    printed = capsys.readouterr().out.splitlines()
    found = json.loads((workspace.drift / "2026-01-18.json").read_text(encoding="utf-8"))
    assert found["window"] == {"from": "2026-01-12", "to": "2026-01-19"}
    record = champion.current(workspace).manifest.record
    assert found["versions"] == {name: getattr(record, name) for name in found["versions"]}
    assert set(found["versions"]) == {"version", "encoder_version", "taxonomy_version", "student_version"}
    assert set(found["signals"]) == {signal.name for signal in SIGNALS}
    assert not found["drifted"], found["sentence"]
    assert not found["alarm"]
    assert f"{found['n_sessions']:,} sessions from 2026-01-12 to 2026-01-18" in found["sentence"]
    assert printed[-2:] == [f"monitor: {found['sentence']}", f"monitor: {workspace.drift / '2026-01-18.html'}"]
    assert found["sentence"] in workspace.index.read_text(encoding="utf-8")
    before = written(workspace)
    assert set(before) == {"drift/2026-01-18.html", "drift/2026-01-18.json", "index.html"}
    monitor(workspace, settings, from_=date(2026, 1, 12), to=date(2026, 1, 19))
    assert written(workspace) == before


def written(workspace: Workspace) -> dict[str, str]:
    """The reports but Evidently's workspace, whose names are random."""
    found = hashes(workspace.reports) if workspace.reports.exists() else {}
    return {name: digest for name, digest in found.items() if not name.startswith("evidently/")}


def test_a_day_that_score_wrote_is_read_and_not_scored_again(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless another champion scored it, or what it was read from changed."""
    settings, held = params.load(workspace.params), champion.current(workspace)
    score(workspace, settings, None, workspace.scored, None, date(2026, 1, 12), date(2026, 1, 19))
    assert missing(workspace, held, workspace.scored, date(2026, 1, 12), date(2026, 1, 20)) == [date(2026, 1, 19)]
    capsys.readouterr()
    monitor(workspace, settings, from_=date(2026, 1, 12), to=date(2026, 1, 19))
    assert "score:" not in capsys.readouterr().out
    lineage = workspace.scored / "day=2026-01-14" / "lineage.json"
    known = lineage.read_text(encoding="utf-8")
    lineage.write_text(known.replace(held.version, "0000-other"), encoding="utf-8")
    assert missing(workspace, held, workspace.scored, date(2026, 1, 12), date(2026, 1, 19)) == [date(2026, 1, 14)]
    monitor(workspace, settings, from_=date(2026, 1, 12), to=date(2026, 1, 19))
    assert "on 1 days (1 of them new)" in capsys.readouterr().out
    assert not missing(workspace, held, workspace.scored, date(2026, 1, 12), date(2026, 1, 19))
    day = workspace.data / "events" / "2026-01-13.jsonl.gz"
    changed_ns = day.stat().st_mtime_ns
    os.utime(day, ns=(changed_ns, changed_ns + 10**12))
    assert len(missing(workspace, held, workspace.scored, date(2026, 1, 12), date(2026, 1, 19))) == 7
    os.utime(day, ns=(changed_ns, changed_ns))


def test_too_few_sessions_are_refused_and_leave_no_report(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "MIN_SESSIONS", 1_000)
    before = written(workspace)
    settings = params.load(workspace.params)
    with pytest.raises(TableError, match="drift needs 1000 at least: name a longer window"):
        monitor(workspace, settings, from_=date(2026, 1, 12), to=date(2026, 1, 19))
    assert written(workspace) == before


def test_limits_of_other_code_are_refused_by_one_message(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "older"
    shutil.copytree(workspace.root, root)
    older = Workspace(root)
    held = champion.current(older)
    limits = json.loads(held.thresholds.read_text(encoding="utf-8"))
    del limits["weighing"]
    held.thresholds.write_text(json.dumps(limits), encoding="utf-8")
    manifest = held.manifest.model_copy(update={"files": champion.file_hashes(held.folder)})
    champion.write_json(held.folder / champion.MANIFEST, manifest)
    with pytest.raises(ChampionError, match="are of other code"):
        monitor(older, params.load(older.params), from_=date(2026, 1, 12), to=date(2026, 1, 19))


def test_without_a_champion_there_is_no_report(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ChampionError, match="run `python -m pipelines promote`"):
        monitor(Workspace(tmp_path), params.load(workspace.params), from_=None, to=None)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("2026-02-22T23:00", (date(2026, 2, 16), date(2026, 2, 23))),
        ("2026-02-22T22:59", (date(2026, 2, 15), date(2026, 2, 22))),  # the last day is not over
    ],
)
def test_the_window_ends_with_the_last_full_day(tmp_path: Path, last: str, expected: tuple[date, date]) -> None:
    workspace = Workspace(tmp_path)
    for ts in (datetime(2026, 2, 1, tzinfo=UTC), datetime.fromisoformat(last).replace(tzinfo=UTC)):
        folder = workspace.events / f"day={ts.date()}"
        folder.mkdir(parents=True)
        row = {"event_id": str(ts), "visitor_id": "v", "ts": ts, "channel": "web", "event_type": "page_view"}
        write_table(pa.Table.from_pylist([row], schemas.EVENTS), folder / "events.parquet", schemas.EVENTS)
    assert window.days(workspace, 7, None, None) == expected


def test_a_side_that_is_not_given_lies_a_window_from_the_other(tmp_path: Path) -> None:
    workspace, first, after = Workspace(tmp_path), date(2026, 2, 1), date(2026, 2, 8)
    assert window.days(workspace, 7, first, None) == (first, after)
    assert window.days(workspace, 7, None, after) == (first, after)
    assert window.days(workspace, 7, first, date(2026, 2, 3)) == (first, date(2026, 2, 3))
    with pytest.raises(ParamsError, match="holds no day"):
        window.days(workspace, 7, after, first)
    with pytest.raises(TableError, match="events is missing"):
        window.days(workspace, 7, None, None)


def test_a_window_is_compared_with_the_same_weekdays() -> None:
    monday = datetime(2026, 1, 5, tzinfo=UTC)
    reference = pa.table({"start_ts": pa.array([monday + timedelta(days=n) for n in range(14)], schemas.TIMESTAMP)})
    weekend = window.like(reference, date(2026, 2, 21), date(2026, 2, 23)).column("start_ts").to_pylist()
    assert [start.day for start in weekend] == [10, 11, 17, 18]
    assert len(window.like(reference, date(2026, 2, 16), date(2026, 2, 23))) == 14


def test_the_index_leads_to_every_report_newest_first(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").touch()
    calm, drift = {"sentence": "Nothing drifted."}, {"sentence": "Drifted: <i>.", "drifted": True}
    alarm = {"sentence": "ALARM.", "drifted": True, "alarm": True}
    page = index(tmp_path, {date(2026, 2, 1): calm, date(2026, 2, 8): drift, date(2026, 2, 9): alarm})
    assert page.index("drift/2026-02-08.html") < page.index("drift/2026-02-01.html")
    assert "drift</span> Drifted: &lt;i&gt;." in page
    assert "alarm</span> ALARM." in page
    assert "<td>Nothing drifted." in page
    assert 'href="metrics.json"' in page
    assert "ingest.json" not in page
