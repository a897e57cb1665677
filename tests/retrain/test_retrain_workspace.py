"""A run's own workspace: what it holds, when there is none, and that the user's repository stays as it is."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from repositories import git, repository_root
from tiny import dvc, hashes

from pipelines import champion, params, runs
from pipelines.__main__ import main
from pipelines.errors import ParamsError, RunError
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote
from pipelines.retrain import inputs, worktree
from pipelines.retrain.stage import run as retrain

ASKED: dict[str, Any] = {
    "from_": None, "to": None, "run": "one", "profile": "full", "cause": "person", "because": ""
}  # fmt: skip


@pytest.fixture(scope="module")
def clone(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone whose champion was made of what lies there, with a DVC remote at a relative path."""
    workspace = repository_root(tmp_path_factory.mktemp("clone") / "with a space", tiny_run)
    config = workspace.root / ".dvc" / "config.local"
    config.write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = ../../store\n", encoding="utf-8")
    promote(workspace, params.load(workspace.params))
    return workspace


def state(workspace: Workspace) -> tuple[str, str, bytes, dict[str, str]]:
    """What belongs to the user: branches, status, index, files that git tracks."""
    root = workspace.root
    files = {name: (root / name).read_text("utf-8") for name in ("params.yaml", "data.dvc", "dvc.lock")}
    index = (root / ".git" / "index").read_bytes()
    return git(root, "for-each-ref"), git(root, "status", "--porcelain"), index, files


def test_where_nothing_is_new_there_is_no_workspace_and_99_says_so(
    clone: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(clone)
    assert main(["retrain", "--root", str(clone.root), "--run", "manual__2026-03-01T00:00:00+00:00"]) == 99
    assert "no new data and no new params since champion 0001-" in capsys.readouterr().err
    (idle,) = runs.known(clone)
    assert idle.skipped.startswith("no new data and no new params since champion 0001-")
    assert [path for path in clone.retrainings.iterdir() if path.is_dir()] == []
    assert git(clone.root, "worktree", "list").count("\n") == 0
    assert state(clone) == before


def test_it_holds_new_data_settings_of_now_and_the_champions_outputs(clone: Workspace) -> None:
    (clone.data / "events" / "2026-03-01.jsonl.gz").write_bytes(b"")
    values = yaml.safe_load(clone.params.read_text("utf-8"))
    values["distill"]["max_epochs"] = 3
    clone.params.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    before = state(clone)
    retrain(clone, params.load(clone.params), **ASKED | {"to": "2026-01-30", "because": "labels moved"})
    assert state(clone) == before
    run = runs.known(clone)[0]
    assert (run.name, run.because, run.window) == ("one", "labels moved", (None, "2026-01-30"))
    assert run.new == ["data", "params: ingest", "params: distill"]
    made = Workspace(runs.folder(clone, "one"))
    assert hashes(made.data) == hashes(clone.data)
    assert (made.root / "data.dvc").read_text("utf-8") != (clone.root / "data.dvc").read_text("utf-8")
    assert params.load(made.params).distill.max_epochs == 3
    assert yaml.safe_load(made.params.read_text("utf-8"))["ingest"]["window"] == {"from": None, "to": "2026-01-30"}
    assert hashes(made.artifacts / "student") == hashes(clone.artifacts / "student")
    assert made.approved_taxonomy.read_bytes() == (champion.current(clone).folder / champion.TAXONOMY).read_bytes()
    assert dvc(made.root, "remote", "list").split() == ["store", str(clone.root.parent / "store"), "(default)"]
    assert dvc(made.root, "cache", "dir").strip() == str(clone.root / ".dvc" / "cache")
    (made.cache / "llm" / "reply").write_text("paid", encoding="utf-8")
    assert (clone.replies / "reply").read_text("utf-8") == "paid"


def test_the_next_run_prunes_and_begins_again_where_one_was_killed(clone: Workspace) -> None:
    values = yaml.safe_load(clone.params.read_text("utf-8"))
    values["retrain"]["kept_workspaces"] = 0
    values["retrain"]["fast"] = {"evaluate.n_bootstrap": 21}
    clone.params.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    half = runs.folder(clone, "two")
    half.mkdir(parents=True)
    (half / "data.dvc").write_text("half", encoding="utf-8")
    retrain(clone, params.load(clone.params), **ASKED | {"run": "two", "profile": "fast"})
    assert [run.name for run in runs.known(clone) if not run.skipped] == ["two", "one"]
    assert not runs.folder(clone, "one").exists()
    assert params.load(half / "params.yaml").evaluate.n_bootstrap == 21


def test_a_window_without_a_day_is_refused(clone: Workspace) -> None:
    with pytest.raises(ParamsError, match="holds no day"):
        retrain(clone, params.load(clone.params), **ASKED | {"from_": "2026-01-30", "to": "2026-01-30"})


def test_without_git_or_dvc_it_says_what_is_needed(tiny_bank: Workspace, tmp_path: Path) -> None:
    bare = Workspace(tmp_path / "bare")
    bare.root.mkdir()
    shutil.copyfile(tiny_bank.params, bare.params)
    with pytest.raises(RunError, match="make this folder a git repository with a commit"):
        retrain(bare, params.load(bare.params), **ASKED)
    git(bare.root, "init", "--quiet")
    git(bare.root, "commit", "--quiet", "--allow-empty", "-m", "none")
    (bare.root / ".dvc").mkdir()
    with pytest.raises(RunError, match=r"\.dvc/config is not committed"):
        worktree.make(bare, runs.folder(bare, "one"))


def test_without_data_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="data/ is missing"):
        inputs.land(tmp_path / "data", tmp_path)


def test_params_stay_with_their_comments_unless_a_value_is_set(clone: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("# mine\n" + clone.params.read_text("utf-8"), encoding="utf-8")
    inputs.override(path, [])
    assert path.read_text("utf-8").startswith("# mine")
    with pytest.raises(ParamsError, match=r"evaluate\.n_bootstrap"):
        inputs.override(path, ["evaluate.n_bootstrap=none"])
