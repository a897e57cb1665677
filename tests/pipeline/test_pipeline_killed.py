"""A stage killed by SIGKILL in the middle of ``dvc repro``, and run again, ends as an undisturbed run does."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tiny import child_environment, dvc, dvc_root, hashes

from pipelines import dvcfile
from pipelines.__main__ import STAGES
from pipelines.paths import Workspace

WAIT_SECONDS = 240
N_AT_ONCE = 2  # most of their time goes into imports


@pytest.fixture(scope="module")
def disturbed(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Workspace]]]:
    """For every stage a DVC workspace where all ran undisturbed but that stage, which was killed once and run again."""
    folder = tmp_path_factory.mktemp("disturbed")
    with ThreadPoolExecutor(N_AT_ONCE) as pool:
        yield {stage: pool.submit(disturb, stage, folder / stage, tiny_run) for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_killed_and_run_again_it_ends_in_the_same_outputs(
    stage: str, disturbed: dict[str, Future[Workspace]], tiny_run: Workspace
) -> None:
    workspace = disturbed[stage].result()
    for out in outputs(stage):
        assert content(workspace.root / out) == content(tiny_run.root / out), f"{out} differs"


def disturb(stage: str, root: Path, undisturbed: Workspace) -> Workspace:
    root.mkdir()
    workspace = dvc_root(root, undisturbed)
    shutil.copytree(undisturbed.artifacts, workspace.artifacts)
    for out in outputs(stage):
        remove(root / out)
    kill_when(at_work(workspace, stage), root, stage)
    assert not [out for out in outputs(stage) if (root / out).exists()], f"{stage}, killed, left an output"
    dvc(root, "repro", "--single-item", stage)
    return workspace


def at_work(workspace: Workspace, stage: str) -> Callable[[], bool]:
    """Whether ``stage`` is well inside: pretrain has saved a checkpoint, any other has begun to write."""
    staging = workspace.root / ".staging" / stage
    if stage == "pretrain":
        return lambda: any(workspace.cache.glob("checkpoints/*/*.ckpt"))
    return lambda: staging.is_dir()


def kill_when(ready: Callable[[], bool], root: Path, stage: str) -> None:
    """Starts the stage by DVC as a process group of its own, and kills the whole group as soon as ``ready``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--single-item", stage],
        cwd=root,
        env=child_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while not ready():
            assert process.poll() is None, f"{stage} ended before it could be killed"
            assert time.monotonic() < deadline, f"{stage} did not get to work in {WAIT_SECONDS} seconds"
            time.sleep(0.002)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL, f"{stage} ended before it could be killed"


def outputs(stage: str) -> tuple[str, ...]:
    stages = dvcfile.read(Path(__file__).resolve().parents[2] / "dvc.yaml")
    return next(found.outs for found in stages if found.name == stage)


def content(path: Path) -> dict[str, str] | bytes:
    return hashes(path) if path.is_dir() else path.read_bytes()


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
