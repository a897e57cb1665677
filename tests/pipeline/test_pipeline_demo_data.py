"""``make data``: where the demo bank comes from, and that it never writes over a data/ that is there."""

import shutil
from pathlib import Path

import pytest
import yaml
from tiny import dvc, hashes

from pipelines.demo_data import provide
from pipelines.paths import Workspace


@pytest.fixture(scope="module")
def tracked(tiny_bank: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC folder whose data.dvc tracks the tiny bank, as in a clone on the machine that made it."""
    root = tmp_path_factory.mktemp("tracked") / "with a space"
    shutil.copytree(tiny_bank.root, root)
    dvc(root, "init", "--no-scm", "--quiet")
    dvc(root, "add", "--quiet", "data")
    return root


@pytest.fixture
def clone(tracked: Path, tmp_path: Path) -> Workspace:
    """A fresh copy of ``tracked``."""
    return Workspace(shutil.copytree(tracked, tmp_path / "clone"))


def lose(workspace: Workspace, *, cache: bool) -> None:
    shutil.rmtree(workspace.data)
    if cache:
        shutil.rmtree(workspace.root / ".dvc" / "cache")


def use_remote(workspace: Workspace, folder: Path) -> None:
    """What `dvc remote add --local --default store FOLDER` writes."""
    remote = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {folder}\n"
    (workspace.root / ".dvc" / "config.local").write_text(remote, encoding="utf-8")


def test_the_bank_that_is_there_stays(clone: Workspace, tracked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    provide(clone)
    assert capsys.readouterr().out == "data/ is the demo bank\n"
    assert hashes(clone.data) == hashes(tracked / "data")


def test_another_demo_bank_stays_and_is_named(clone: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    (clone.data / "events" / "2026-01-05.jsonl.gz").unlink()
    before = hashes(clone.data)
    provide(clone)
    assert "not that of data.dvc; kept" in capsys.readouterr().out
    assert hashes(clone.data) == before


def test_data_of_ones_own_stays(clone: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    lose(clone, cache=False)
    clone.data.mkdir()
    (clone.data / "mine.csv").write_text("mine", encoding="utf-8")
    provide(clone)
    assert "not the demo bank" in capsys.readouterr().out
    assert [path.name for path in clone.data.iterdir()] == ["mine.csv"]


def test_the_cache_comes_first(clone: Workspace, tracked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lose(clone, cache=False)
    provide(clone)
    assert capsys.readouterr().out == "data/ comes from the DVC cache\n"
    assert hashes(clone.data) == hashes(tracked / "data")


def test_then_a_remote(clone: Workspace, tracked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use_remote(clone, tmp_path / "store")
    dvc(clone.root, "push", "--quiet")
    lose(clone, cache=True)
    provide(clone)
    assert "data/ comes from the DVC remote" in capsys.readouterr().out
    assert hashes(clone.data) == hashes(tracked / "data")


def test_else_it_is_made_anew_and_fills_the_cache(
    clone: Workspace, tracked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use_remote(clone, tmp_path / "nowhere")
    lose(clone, cache=True)
    provide(clone)
    printed = capsys.readouterr().out
    assert "making the demo bank anew" in printed
    assert "data/ has the hash of data.dvc" in printed
    assert hashes(clone.data) == hashes(tracked / "data")
    assert hashes(clone.root / ".dvc" / "cache" / "files") == hashes(tracked / ".dvc" / "cache" / "files")
    assert (clone.root / "data.dvc").read_bytes() == (tracked / "data.dvc").read_bytes()


def test_another_bank_than_data_dvc_names_goes_on_with_a_warning(
    clone: Workspace, tracked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(clone, cache=True)
    values = yaml.safe_load(clone.params.read_text(encoding="utf-8"))
    values["simulate"]["people"] = 20
    clone.params.write_text(yaml.safe_dump(values), encoding="utf-8")
    provide(clone)
    assert "warning: this demo bank is not that of data.dvc" in capsys.readouterr().out
    assert (clone.data / "demo_bank.json").exists()
    assert (clone.root / "data.dvc").read_bytes() == (tracked / "data.dvc").read_bytes()
