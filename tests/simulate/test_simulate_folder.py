"""Whose files data/ holds, and what is left when writing fails."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated import params_of
from tiny import hashes

from pipelines.errors import SourceError
from pipelines.paths import Workspace
from pipelines.simulate import folder, mailbox, stage

TWO = ("simulate.people=2", "simulate.days=2")


@pytest.mark.parametrize("foreign", ["mine.csv", "events/mine.jsonl", "truth/mine.parquet"])
def test_files_of_others_are_never_overwritten(tmp_path: Path, foreign: str) -> None:
    workspace = Workspace(tmp_path)
    (workspace.data / foreign).parent.mkdir(parents=True)
    (workspace.data / foreign).write_text("precious")
    before = hashes(tmp_path)
    with pytest.raises(SourceError, match=r"holds 1 file\(s\) that are not the demo bank's"):
        stage.run(workspace, params_of(*TWO))
    assert hashes(tmp_path) == before


@pytest.mark.parametrize(
    ("foreign", "refused"), [("events/mine.jsonl", True), ("truth/mine.csv", True), ("mine.csv", False)]
)
def test_beside_a_demo_bank_only_what_would_be_replaced_counts(tmp_path: Path, foreign: str, refused: bool) -> None:
    workspace = Workspace(tmp_path)
    stage.run(workspace, params_of(*TWO))
    (workspace.data / foreign).write_text("precious")
    if refused:
        with pytest.raises(SourceError, match="not the demo bank's"):
            stage.run(workspace, params_of(*TWO))
    else:
        stage.run(workspace, params_of("simulate.people=2", "simulate.days=3"))
    assert (workspace.data / foreign).read_text() == "precious"


def test_files_of_others_that_come_while_the_bank_is_made_are_kept_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, make = Workspace(tmp_path), stage.made

    def slowly(*arguments: object) -> Iterator[object]:
        workspace.data.mkdir()
        (workspace.data / "mine.csv").write_text("precious")
        yield from make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "made", slowly)
    with pytest.raises(SourceError, match="not the demo bank's"):
        stage.run(workspace, params_of(*TWO))
    assert [file.name for file in workspace.data.iterdir()] == ["mine.csv"]


@pytest.mark.parametrize("content", ["{", "[]", '{"files": {}}'])
def test_a_manifest_of_somebody_else_is_refused(tmp_path: Path, content: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    (workspace.data / "demo_bank.json").write_text(content)
    with pytest.raises(SourceError, match=r"demo_bank\.json is not a demo bank's list of files"):
        stage.run(workspace, params_of(*TWO))


def test_a_bank_of_an_earlier_version_is_replaced_whole(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in ("events/2025-01-01.jsonl.gz", "truth/old.parquet"):
        (workspace.data / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.data / name).write_bytes(b"old")
    listed = {"generator": "old", "files": {"events/2025-01-01.jsonl.gz": "hash"}, "truth": ["truth/old.parquet"]}
    (workspace.data / "demo_bank.json").write_text(json.dumps(listed))
    stage.run(workspace, params_of(*TWO))
    assert not list(workspace.data.rglob("2025*")) + list(workspace.data.rglob("old*"))


@pytest.mark.parametrize(("module", "function"), [(folder.pq, "write_table"), (mailbox, "_compressed")])
def test_a_full_disk_leaves_the_old_bank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, function: str
) -> None:
    workspace = Workspace(tmp_path)
    stage.run(workspace, params_of(*TWO))
    before = hashes(tmp_path)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, function, full_disk)
    with pytest.raises(OSError, match="No space left"):
        stage.run(workspace, params_of("simulate.people=3"))
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("lost", ["truth", "events"])
def test_moves_cut_short_can_be_done_again(tmp_path: Path, lost: str) -> None:
    workspace = Workspace(tmp_path)
    stage.run(workspace, params_of(*TWO))
    whole = hashes(workspace.data)
    shutil.rmtree(workspace.data / lost)  # as after a kill between two of the moves
    stage.run(workspace, params_of(*TWO))
    assert hashes(workspace.data) == whole
