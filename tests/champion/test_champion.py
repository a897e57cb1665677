"""promote, rollback and what they leave, on a finished run of the tiny profile."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny import hashes

from pipelines import champion, params, runs, schemas, verdict
from pipelines.audit.stage import FIELD, misled
from pipelines.audit.stage import run as audit
from pipelines.drift.calibration import Thresholds
from pipelines.drift.observed import OBSERVED
from pipelines.drift.signals import SIGNALS
from pipelines.errors import AuditError, ChampionError, GateError, RunError, SkippedError, TableError
from pipelines.gate.stage import run as gate
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote
from pipelines.rollback.stage import run as rollback
from pipelines.runs import Run
from pipelines.student import Student
from pipelines.tables import read_table

RECORD = {"version", "git_tag", "encoder_version", "taxonomy_version", "student_version", "promoted_at"}


@pytest.fixture
def workspace(tiny_run: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished run's artifacts, outside git."""
    root = tmp_path / "root"
    shutil.copytree(tiny_run.artifacts, root / "artifacts")
    shutil.copyfile(tiny_run.params, root / "params.yaml")
    return Workspace(root)


def loaded(workspace: Workspace, *overrides: str) -> params.Params:
    return params.load(workspace.params, overrides)


def pointer(workspace: Workspace) -> dict[str, str]:
    record: dict[str, str] = json.loads(workspace.champion.read_text(encoding="utf-8"))
    return record


def test_without_a_promotion_there_is_no_champion(tmp_path: Path) -> None:
    with pytest.raises(ChampionError, match="run `python -m pipelines promote`"):
        champion.current(Workspace(tmp_path))


def test_promote_makes_a_bundle_that_holds_all_of_it(workspace: Workspace) -> None:
    promote(workspace, loaded(workspace))
    held = champion.current(workspace)
    assert set(pointer(workspace)) == RECORD
    assert pointer(workspace)["version"] == held.version
    assert pointer(workspace)["git_tag"] is None
    assert held.version.startswith("0001-")
    assert hashes(held.encoder_folder) == hashes(workspace.encoder)
    assert hashes(held.student_folder) == hashes(workspace.student)
    assert held.params.ingest == loaded(workspace).ingest
    assert held.params.sessionize == loaded(workspace).sessionize
    assert {path.name for path in held.folder.iterdir()} == {
        "encoder", "student", "taxonomy.yaml", "params.yaml", "pages.parquet", "reference.parquet", "manifest.json",
        "anchors.parquet", "cells.npz", "drift.json",
    }  # fmt: skip


def test_promoting_the_same_again_changes_nothing_calibrates_nothing_and_says_so(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(workspace, loaded(workspace))
    before = hashes(workspace.root)
    monkeypatch.setattr(Thresholds, "of", lambda *_: pytest.fail("calibrated again"))
    promote(workspace, loaded(workspace))
    assert hashes(workspace.root) == before
    assert "is the champion already: nothing changed" in capsys.readouterr().out


def test_thresholds_of_other_signals_are_calibrated_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated = Thresholds.of

    def of_one_signal_less(*arguments: Any) -> Thresholds:
        made = calibrated(*arguments)
        return made.model_copy(update={"limits": dict(list(made.limits.items())[1:])})

    monkeypatch.setattr(Thresholds, "of", of_one_signal_less)
    promote(workspace, loaded(workspace))
    monkeypatch.undo()
    promote(workspace, loaded(workspace))
    limits = json.loads(champion.current(workspace).thresholds.read_text("utf-8"))["limits"]
    assert list(limits) == [signal.name for signal in SIGNALS]
    assert champion.current(workspace).version.startswith("0002-")


def test_the_reference_is_a_seeded_sample_without_test_and_embargo(workspace: Workspace) -> None:
    promote(workspace, loaded(workspace, "monitor.reference_sessions=60"))
    reference = read_table(champion.current(workspace).reference, OBSERVED).to_pylist()
    sessions = {row["session_id"]: row for row in read_table(workspace.sessions, schemas.SESSIONS).to_pylist()}
    intents = {row["session_id"]: row for row in read_table(workspace.intents, schemas.INTENTS).to_pylist()}
    intent_ids = Student.load(workspace.student).intent_ids
    assert 60 <= len(reference) == len({row["session_id"] for row in reference}) < 120
    visitors = {row["visitor_id"] for row in reference}
    known = [row for row in sessions.values() if row["visitor_id"] in visitors and row["split"] in ("train", "valid")]
    assert len(known) == len(reference), "a visitor is in it with all sessions, or not at all"
    assert {sessions[row["session_id"]]["split"] for row in reference} <= {"train", "valid"}
    for row in reference:
        decided = intents[row["session_id"]]
        assert row["confidence"] == max(decided["probabilities"])
        assert row["n_events"] == sessions[row["session_id"]]["n_events"]
        assert row["intent"] == intent_ids[decided["probabilities"].index(row["confidence"])]
        assert row["abstained"] == decided["abstained"] == (decided["intents"] == [])


def test_rollback_returns_step_by_step_to_what_held_before(workspace: Workspace) -> None:
    for n_sessions in (60, 61, 62):
        promote(workspace, loaded(workspace, f"monitor.reference_sessions={n_sessions}"))
    assert champion.current(workspace).version.startswith("0003-")
    rollback(workspace, loaded(workspace))
    rollback(workspace, loaded(workspace))
    assert pointer(workspace)["version"].startswith("0001-")
    with pytest.raises(ChampionError, match="is the first champion: there is none to return to"):
        rollback(workspace, loaded(workspace))
    promote(workspace, loaded(workspace, "monitor.reference_sessions=63"))  # after a rollback: on top of 0001
    assert pointer(workspace)["version"].startswith("0004-")
    rollback(workspace, loaded(workspace))
    assert pointer(workspace)["version"].startswith("0001-"), "what was rolled back is not returned to"
    assert [name[:4] for name in champion.promoted(workspace)] == ["0001", "0002", "0003", "0004"]


def test_a_version_is_found_by_its_name_or_its_number(workspace: Workspace) -> None:
    promote(workspace, loaded(workspace))
    promote(workspace, loaded(workspace, "monitor.reference_sessions=60"))
    first = champion.promoted(workspace)[0]
    assert champion.current(workspace, first).version == champion.current(workspace, "0001").version == first
    for unknown in ("0009", "../champions", ""):
        with pytest.raises(ChampionError, match="holds no version"):
            champion.current(workspace, unknown)


@pytest.mark.parametrize("lost", ["encoder/meta.json", "params.yaml", "reference.parquet"])
def test_an_incomplete_bundle_is_refused_and_can_be_promoted_anew(workspace: Workspace, lost: str) -> None:
    promote(workspace, loaded(workspace))
    (champion.current(workspace).folder / lost).unlink()
    with pytest.raises(ChampionError, match="is not as it was promoted"):
        champion.current(workspace)
    promote(workspace, loaded(workspace))
    assert champion.current(workspace).version.startswith("0002-")


def test_a_broken_pointer_is_refused(workspace: Workspace) -> None:
    workspace.champion.write_text('{"version": 1}', encoding="utf-8")
    with pytest.raises(ChampionError, match=r"champion\.json cannot be read"):
        champion.current(workspace)


def test_artifacts_of_two_runs_are_not_promoted(workspace: Workspace) -> None:
    intents = pq.read_table(workspace.intents)
    place = intents.schema.get_field_index("encoder_version")
    other = intents.set_column(place, intents.schema.field(place), pa.array(["encoder-of-old"] * len(intents)))
    pq.write_table(other, workspace.intents)
    with pytest.raises(TableError, match="another `encoder_version`"):
        promote(workspace, loaded(workspace))
    assert not workspace.champion.exists()
    assert not workspace.champions.exists()


def git(root: Path, *arguments: str) -> str:
    clean = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    author = ["-c", "user.name=T", "-c", "user.email=t@localhost"]
    return subprocess.run(
        ["git", *author, *arguments], cwd=root, env=clean, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_in_git_the_tag_holds_the_present_params_and_nothing_else_moves(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")):
        monkeypatch.setenv(name, value)
    root = workspace.root
    (root / ".gitignore").write_text("/artifacts/\n/champion*\n/.staging/\n", encoding="utf-8")
    (root / "code.py").write_text("1\n", encoding="utf-8")
    git(root, "init", "-b", "main")
    git(root, "add", ".gitignore", "code.py", "params.yaml")
    git(root, "commit", "-m", "code")
    (root / "params.yaml").write_text(f"# tuned\n{workspace.params.read_text(encoding='utf-8')}", encoding="utf-8")
    (root / "dvc.lock").write_text("schema: '2.0'\n", encoding="utf-8")
    (root / "code.py").write_text("2\n", encoding="utf-8")
    git(root, "add", "code.py")
    before = (git(root, "rev-parse", "main"), git(root, "status", "--porcelain"), (root / ".git/index").read_bytes())
    promote(workspace, loaded(workspace))
    promote(workspace, loaded(workspace, "monitor.reference_sessions=60"))
    assert (
        git(root, "rev-parse", "main"),
        git(root, "status", "--porcelain"),
        (root / ".git/index").read_bytes(),
    ) == before
    assert git(root, "tag", "--list").split() == ["champion/0001", "champion/0002"]
    assert pointer(workspace)["git_tag"] == "champion/0002"
    assert git(root, "show", "champion/0001:params.yaml").startswith("# tuned")
    assert git(root, "show", "champion/0001:dvc.lock") == "schema: '2.0'"
    assert git(root, "show", "champion/0001:code.py") == "1", "code is the committed one"
    assert git(root, "rev-parse", "champion/0002^") == before[0]
    shutil.rmtree(workspace.champions)  # as in a clone: the tags came along, the bundles did not
    promote(workspace, loaded(workspace))
    assert pointer(workspace)["git_tag"] == "champion/0003"


def test_a_repository_around_the_root_is_not_tagged(workspace: Workspace) -> None:
    git(workspace.root.parent, "init", "-b", "main")
    git(workspace.root.parent, "commit", "--allow-empty", "-m", "other work")
    promote(workspace, loaded(workspace))
    assert pointer(workspace)["git_tag"] is None
    assert git(workspace.root.parent, "tag", "--list") == ""


@pytest.fixture
def challenger(tiny_run: Workspace, workspace: Workspace, tmp_path: Path) -> Workspace:
    """The same run again, in a folder of its own, beside a champion that came of it."""
    promote(workspace, loaded(workspace, "monitor.reference_sessions=60"))
    return Workspace(shutil.copytree(tiny_run.root, tmp_path / "challenger"))


def test_an_equal_challenger_passes_the_gate_and_is_promoted(workspace: Workspace, challenger: Workspace) -> None:
    with pytest.raises(GateError, match="run `python -m pipelines gate` first"):
        promote(workspace, loaded(workspace), challenger.root)
    gate(workspace, loaded(workspace), challenger.root)
    found = verdict.read(challenger)
    judged = [one for one in found.comparisons if one.outcome != "not available"]
    assert judged
    for one in judged:
        assert one.champion == pytest.approx(one.challenger, abs=1e-4)
    assert not found.taxonomy.changed
    assert found.sentence in challenger.gate.with_suffix(".html").read_text("utf-8")
    promote(workspace, loaded(workspace), challenger.root)
    assert champion.current(workspace).version.startswith("0002-")
    promote(workspace, loaded(workspace, "monitor.reference_sessions=61"))
    with pytest.raises(GateError, match="run the gate again"):
        promote(workspace, loaded(workspace), challenger.root)


def test_a_challenger_that_knows_nothing_is_refused(workspace: Workspace, challenger: Workspace) -> None:
    embeddings = pq.read_table(challenger.embeddings)
    width = len(embeddings.column("embedding")[0].as_py())
    noise = np.random.default_rng(0).normal(size=(len(embeddings), width)).astype(np.float32)
    place = embeddings.schema.get_field_index("embedding")
    field = embeddings.schema.field(place)
    pq.write_table(embeddings.set_column(place, field, pa.array(list(noise), field.type)), challenger.embeddings)
    with pytest.raises(GateError, match=r"Worse than champion 0001-.*encoder\.last_page_recall_at_1"):
        gate(workspace, loaded(workspace), challenger.root)
    assert not verdict.read(challenger).passed
    with pytest.raises(GateError, match="did not pass the gate"):
        promote(workspace, loaded(workspace), challenger.root)
    assert pointer(workspace)["version"].startswith("0001-")


def test_a_challenger_that_is_not_there_is_named_by_its_folder(workspace: Workspace) -> None:
    for command in (gate, promote, partial(audit, seeds=1)):
        with pytest.raises(RunError, match="--challenger nowhere: there is no such folder"):
            command(workspace, loaded(workspace), challenger=Path("nowhere"))


def test_only_a_new_encoder_of_a_full_run_is_audited(
    workspace: Workspace, challenger: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[Path] = []

    def probe(private: Workspace, pages: Path, **_: object) -> float:
        probed.append(pages.parents[1])
        return 0.9 - 0.05 * (len(probed) % 2 == 0)  # random inputs cost .05

    monkeypatch.setattr("pipelines.audit.stage._probed", probe)
    with pytest.raises(SkippedError, match="the encoder is that of champion 0001-"):
        audit(workspace, loaded(workspace), 1, challenger.root)
    workspace.champion.unlink()
    fast = Run(
        name=challenger.root.name, began_at=datetime(2026, 3, 1, tzinfo=UTC), cause="person", because="",
        profile="fast", window=(None, None), champion=None, code="", new=["data"],
    )  # fmt: skip
    workspace.retrainings.mkdir(parents=True)
    runs.write(workspace, fast)
    with pytest.raises(SkippedError, match="profile `fast`"):
        audit(workspace, loaded(workspace), 1, challenger.root)
    runs.write(workspace, fast.model_copy(update={"profile": "full"}))
    with pytest.raises(AuditError, match="shortcut_cost"):
        audit(workspace, loaded(workspace), 1, challenger.root)
    assert probed == [challenger.root] * 2
    assert (challenger.reports / "bench" / "audit.json").exists()


def test_what_names_the_visitor_may_show_where_it_is_put_in(workspace: Workspace) -> None:
    """Its cost is asked, so the encoder that reads it is trained to the end; every other limit stays."""
    plain = loaded(workspace, "pretrain.audits.max_leakage=0.01").pretrain
    other = misled(plain)
    assert set(other.fields) == {*plain.fields, FIELD}
    assert other.audits.max_leakage == 1
    assert other.audits.model_dump(exclude={"max_leakage"}) == plain.audits.model_dump(exclude={"max_leakage"})
    assert plain.audits.max_leakage == 0.01
