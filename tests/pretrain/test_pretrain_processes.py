"""Two processes that train together, as two GPUs would: gloo instead of NCCL, the rest is the same code."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from session_tables import make_pages, make_sessions
from tiny import child_environment, write_tiny_params

from pipelines import schemas
from pipelines.paths import Workspace
from pipelines.pretrain import batches
from pipelines.pretrain.batches import BatchOrder
from pipelines.tables import write_table

PAGES = [f"/page-{number}" for number in range(6)]


@pytest.mark.processes
def test_two_processes_train_one_encoder(tmp_path: Path, repository: Path) -> None:
    draw = np.random.default_rng(0)
    workspace = Workspace(tmp_path)
    workspace.artifacts.mkdir()
    visits = [[PAGES[place] for place in draw.integers(0, 6, size=draw.integers(1, 6))] for _ in range(80)]
    write_table(make_sessions(visits, ["train"] * 60 + ["valid"] * 20), workspace.sessions, schemas.SESSIONS)
    write_table(make_pages(PAGES), workspace.pages, schemas.PAGES)
    write_tiny_params(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "pretrain", "--root", str(tmp_path),
         "--set", "pretrain.devices=2", "--set", "pretrain.max_epochs=2", "--set", "pretrain.batch_size=16"],
        cwd=repository, env=child_environment(), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pretrain: epoch") == 2  # one of the two says it
    assert done.stdout.count("sessions embedded") == 1
    assert pq.read_table(workspace.embeddings).num_rows == 80
    assert not list(workspace.cache.glob("checkpoints/*"))


def test_each_process_takes_its_own_batches_and_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = np.arange(1, 51)
    dealt = []
    for rank in range(3):
        monkeypatch.setattr(batches, "processes", lambda rank=rank: (3, rank))
        order = BatchOrder(np.arange(50), lengths, batch_size=5, seed=1)
        dealt.append([tuple(rows.tolist()) for rows in order])
        assert len(dealt[-1]) == len(order) == 4
    monkeypatch.setattr(batches, "processes", lambda: (1, 0))
    alone = {tuple(rows.tolist()) for rows in BatchOrder(np.arange(50), lengths, batch_size=5, seed=1)}
    assert {rows for process in dealt for rows in process} == alone
    assert len(alone) == 10
