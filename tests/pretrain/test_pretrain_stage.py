"""The stage: what it writes, twice the same, and after an interruption."""

import shutil
import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import pytorch_lightning as lightning
from session_tables import make_pages, make_sessions

from pipelines import schemas
from pipelines.errors import ParamsError, TableError
from pipelines.params import Pretrain, validate
from pipelines.paths import Workspace
from pipelines.pretrain import stage
from pipelines.pretrain.curves import Curves
from pipelines.tables import write_table

PAGES = [f"/page-{number}" for number in range(6)]


@pytest.fixture(scope="module")
def params(tiny_params: dict[str, object]) -> Pretrain:
    return validate(tiny_params, "tiny").pretrain.model_copy(update={"max_epochs": 3, "batch_size": 16})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "root")


def make_workspace(root: Path) -> Workspace:
    draw = np.random.default_rng(0)
    visits = [[PAGES[place] for place in draw.integers(0, 6, size=draw.integers(1, 6))] for _ in range(90)]
    workspace = Workspace(root)
    workspace.artifacts.mkdir(parents=True)
    sessions = make_sessions(visits, ["train"] * 60 + ["valid"] * 20 + ["test"] * 10)
    write_table(sessions, workspace.sessions, schemas.SESSIONS)
    write_table(make_pages(PAGES), workspace.pages, schemas.PAGES)
    return workspace


def outputs(workspace: Workspace) -> dict[str, bytes]:
    files = [path for top in (workspace.artifacts, workspace.reports) for path in top.rglob("*") if path.is_file()]
    return {str(path.relative_to(workspace.root)): path.read_bytes() for path in files}


def test_every_session_is_embedded_and_the_curves_are_there(workspace: Workspace, params: Pretrain) -> None:
    stage.run(workspace, params, seed=3)
    embeddings = pq.read_table(workspace.embeddings)
    assert embeddings.schema.equals(schemas.EMBEDDINGS)
    assert embeddings.column("session_id").to_pylist() == [f"session-{number:04d}" for number in range(90)]
    assert {len(vector) for vector in embeddings.column("embedding").to_pylist()} == {params.embedding_dim}
    curve = (workspace.curves / "train" / "next_event.tsv").read_text().splitlines()
    assert curve[0].split("\t") == ["step", "next_event"]
    assert len(curve) == 1 + 3
    assert not list(workspace.cache.glob("checkpoints/*"))


def test_fewer_trained_numbers_than_kept_ones_are_refused(tiny_params: dict[str, dict[str, object]]) -> None:
    block = tiny_params["pretrain"] | {"trained_dim": 32, "embedding_dim": 64}
    with pytest.raises(ParamsError, match="`trained_dim` is 32, fewer than the 64 of `embedding_dim`: raise it"):
        validate(tiny_params | {"pretrain": block}, "tiny")


def test_an_interrupted_run_resumes_to_the_same_bytes(
    tmp_path: Path, params: Pretrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, broken = make_workspace(tmp_path / "straight"), make_workspace(tmp_path / "broken")
    stage.run(straight, params, seed=3)
    before = outputs(broken)

    def stop(self: Curves, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if trainer.current_epoch == 2:
            raise InterruptedError

    monkeypatch.setattr(Curves, "on_train_epoch_start", stop, raising=False)
    with pytest.raises(InterruptedError):
        stage.run(broken, params, seed=3)
    assert outputs(broken) == before
    assert [path.name for path in broken.cache.glob("checkpoints/*/*.ckpt")] == ["epoch=0001.ckpt"]
    monkeypatch.undo()
    stage.run(broken, params, seed=3)
    assert outputs(broken) == outputs(straight)


def test_ctrl_c_is_passed_on_and_leaves_the_outputs(
    workspace: Workspace, params: Pretrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, handler = outputs(workspace), signal.getsignal(signal.SIGINT)

    def interrupt(self: Curves, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Curves, "on_train_epoch_start", interrupt, raising=False)
    try:
        with pytest.raises(KeyboardInterrupt):
            stage.run(workspace, params, seed=3)
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning ignores the signal from then on
    assert outputs(workspace) == before


def test_another_seed_is_another_encoder(workspace: Workspace, params: Pretrain) -> None:
    stage.run(workspace, params, seed=3)
    first = workspace.embeddings.read_bytes()
    stage.run(workspace, params, seed=4)
    assert workspace.embeddings.read_bytes() != first


def test_without_a_training_part_it_refuses(workspace: Workspace, params: Pretrain) -> None:
    write_table(make_sessions([["/page-0"]], ["test"]), workspace.sessions, schemas.SESSIONS)
    with pytest.raises(TableError, match=r"sessionize\.split"):
        stage.run(workspace, params, seed=3)


def test_without_sessions_it_says_what_to_run(workspace: Workspace, params: Pretrain) -> None:
    shutil.rmtree(workspace.artifacts)
    with pytest.raises(TableError, match=r"sessions\.parquet is missing"):
        stage.run(workspace, params, seed=3)
