"""Scored windows beside the whole run that the champion comes from."""

import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import hashes

from pipelines import champion, params, schemas
from pipelines.errors import ChampionError, ParamsError, SourceError, TableError
from pipelines.explain.stage import run as explain
from pipelines.params import Source, Window
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote
from pipelines.score import days, window
from pipelines.score.scorer import TABLES
from pipelines.score.stage import run as score
from pipelines.tables import read_table

FROM, TO = date(2026, 1, 14), date(2026, 1, 17)


@pytest.fixture(scope="module")
def workspace(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The finished run, promoted."""
    root = tmp_path_factory.mktemp("score")
    shutil.copytree(tiny_run.artifacts, root / "artifacts")
    shutil.copyfile(tiny_run.params, root / "params.yaml")
    (root / "data").symlink_to(tiny_run.data)
    promote(Workspace(root), params.load(root / "params.yaml"))
    return Workspace(root)


def scored(workspace: Workspace, output: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """The scored sessions by id, with their intents and embedding."""
    asked: dict[str, Any] = {"input": None, "version": None, "from_": FROM, "to": TO} | options
    score(workspace, params.load(workspace.params), output=output, **asked)
    tables = {name: days.read(output, name, Window(from_=None, to=None)).to_pylist() for name in TABLES}
    assert [row["session_id"] for row in tables["sessions"]] == [row["session_id"] for row in tables["intents"]]
    return {
        row["session_id"]: row | named | vector
        for row, named, vector in zip(*(tables[name] for name in ("sessions", "intents", "embeddings")), strict=True)
    }


def rows(sessions: Path, intents: Path, embeddings: Path) -> dict[str, dict[str, Any]]:
    tables = ((sessions, schemas.SESSIONS), (intents, schemas.INTENTS), (embeddings, schemas.EMBEDDINGS))
    read = [read_table(path, schema).to_pylist() for path, schema in tables]
    assert len({len(table) for table in read}) == 1
    return {row["session_id"]: row | named | vector for row, named, vector in zip(*read, strict=True)}


def test_a_window_has_the_very_sessions_of_the_whole_run_that_start_in_it(workspace: Workspace, tmp_path: Path) -> None:
    whole = rows(workspace.sessions, workspace.intents, workspace.embeddings)
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (FROM, TO)]
    inside = {name: row for name, row in whole.items() if midnights[0] <= row["start_ts"] < midnights[1]}
    assert len(inside) > 20
    found = scored(workspace, tmp_path)
    assert list(found) == list(inside)
    for name, row in found.items():
        assert {key: row[key] for key in COMPARED} == {key: inside[name][key] for key in COMPARED}
        np.testing.assert_allclose(row["embedding"], inside[name]["embedding"], atol=1e-5)
        np.testing.assert_allclose(row["probabilities"], inside[name]["probabilities"], atol=1e-5)
        assert row["customer_id"] in (None, inside[name]["customer_id"]), "logins before the window are not known"


COMPARED = ("visitor_id", "channel", "start_ts", "end_ts", "n_events", "events", "split", "encoder_version")


def test_scoring_again_writes_the_same_bytes_and_leaves_other_files_alone(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    scored(workspace, tmp_path)
    before = hashes(tmp_path)
    scored(workspace, tmp_path)
    assert hashes(tmp_path) == before
    names = ("sessions.parquet", "facts.parquet", "embeddings.parquet", "intents.parquet", "lineage.json")
    assert set(before) == {"notes.txt", *(f"day=2026-01-{day}/{name}" for day in (14, 15, 16) for name in names)}


def test_an_input_of_ones_own_is_read_with_the_champions_mapping(workspace: Workspace, tmp_path: Path) -> None:
    day = min((workspace.data / "events").iterdir())
    given = tmp_path / "elsewhere" / "today.jsonl.gz"
    given.parent.mkdir()
    shutil.copyfile(day, given)
    found = scored(workspace, tmp_path / "out", input=given, from_=None, to=None)
    assert found
    assert set(found) <= set(read_table(workspace.sessions, schemas.SESSIONS).column("session_id").to_pylist()), (
        "the ids are those of the whole run: the first day has no session that began before it"
    )


def test_a_refused_window_leaves_the_former_tables(workspace: Workspace, tmp_path: Path) -> None:
    scored(workspace, tmp_path)
    before = hashes(tmp_path)
    with pytest.raises(SourceError):
        scored(workspace, tmp_path, input=tmp_path / "missing.jsonl.gz")
    assert hashes(tmp_path) == before


def test_the_champion_alone_decides(workspace: Workspace, tmp_path: Path) -> None:
    own = params.load(workspace.params, ["sessionize.gap_seconds=1", "ingest.window.to=2026-01-06"])
    score(workspace, own, input=None, output=tmp_path / "a", version="0001", from_=FROM, to=TO)
    scored(workspace, tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    assert set(
        days.read(tmp_path / "b", "intents", Window(from_=None, to=None)).column("student_version").to_pylist()
    ) == {champion.current(workspace).manifest.record.student_version}


def test_without_a_champion_nothing_is_scored(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(ChampionError, match="run `python -m pipelines promote`"):
        score(
            Workspace(tmp_path), params.load(workspace.params), input=None, output=tmp_path / "out", version=None,
            from_=None, to=None,
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_window_that_holds_no_day_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="holds no day"):
        scored(workspace, tmp_path / "out", from_=TO, to=FROM)
    assert not (tmp_path / "out").exists()


def test_whole_days_are_read_on_both_sides() -> None:
    asked = Window(from_=FROM, to=TO)
    assert window.reading(asked, 43_200) == Window(from_=FROM - timedelta(days=1), to=TO + timedelta(days=1))
    assert window.reading(asked, 86_401) == Window(from_=FROM - timedelta(days=2), to=TO + timedelta(days=2))
    assert window.reading(Window(from_=None, to=None), 43_200) == Window(from_=None, to=None)


def source(path: str, **values: Any) -> Source:
    mapped: Mapping[str, Any] = {"format": "jsonl", "columns": {"visitor_id": "v", "ts": "t"}}
    return Source.model_validate({**mapped, "path": path, **values})


def test_of_several_sources_the_input_goes_to_the_one_that_its_name_fits(tmp_path: Path) -> None:
    configured = [source("data/web/*.jsonl.gz"), source("/app/*.csv", format="csv")]
    given = tmp_path / "monday.csv"
    assert [found.path for found in window.sources(configured, tmp_path, None)] == [
        str(tmp_path / "data/web/*.jsonl.gz"),
        "/app/*.csv",
    ]
    assert window.sources(configured, tmp_path, given) == [source(str(given), format="csv")]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.csv").touch()
    assert window.sources(configured, tmp_path, tmp_path / "folder")[0].format == "csv"
    for unclear in (tmp_path / "monday.xml", tmp_path / "nothing"):
        with pytest.raises(SourceError, match=r"fits 0 of the champion's 2 .*\*\.jsonl\.gz or \*\.csv"):
            window.sources(configured, tmp_path, unclear)
    assert window.sources(configured[:1], tmp_path, tmp_path / "a.xml")[0].path == str(tmp_path / "a.xml")


def test_the_intents_are_those_of_the_whole_run(workspace: Workspace, tmp_path: Path) -> None:
    whole = rows(workspace.sessions, workspace.intents, workspace.embeddings)
    found = scored(workspace, tmp_path)
    assert {name: row["intents"] for name, row in found.items()} == {name: whole[name]["intents"] for name in found}
    held = champion.current(workspace).version
    assert {row["champion_version"] for row in found.values()} == {held}


def test_a_day_that_was_scored_is_not_scored_again_and_a_lost_one_is(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(workspace, tmp_path)
    before = hashes(tmp_path)
    (tmp_path / "day=2026-01-15" / "lineage.json").unlink()  # as if killed before it was complete
    (tmp_path / "day=2026-01-14" / "intents.parquet").write_bytes(b"damaged")
    capsys.readouterr()
    scored(workspace, tmp_path)
    assert "on 3 days (2 of them new)" in capsys.readouterr().out
    assert hashes(tmp_path) == before


def test_explain_prints_the_way_from_the_events_to_the_intents(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = scored(workspace, tmp_path)
    name, row = next(iter(found.items()))
    record = champion.current(workspace).manifest
    capsys.readouterr()
    explain(workspace, params.load(workspace.params), session=name, tables=tmp_path)
    printed = capsys.readouterr().out
    for version in ("encoder_version", "taxonomy_version", "student_version", "champion_version"):
        assert row[version] in printed
    for file in ("encoder/meta.json", "student/student.onnx", "student/calibration.json", "taxonomy.yaml"):
        assert record.files[file] in printed
    explain(workspace, params.load(workspace.params), session=name, tables=None)
    assert row["student_version"] in capsys.readouterr().out
    with pytest.raises(TableError, match="holds no such session"):
        explain(workspace, params.load(workspace.params), session="f" * 32, tables=None)
