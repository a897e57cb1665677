"""The stage as a whole: the same bytes again wherever it runs, and what it says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated import block_of, files, made, params_of
from tiny import REPOSITORY, hashes

from pipelines.paths import Workspace
from pipelines.simulate import stage

SMALL = ("simulate.people=40", "simulate.days=10")


def test_same_bytes_again_over_the_old_bank_and_on_another_cpu(tmp_path: Path) -> None:
    here, there = Workspace(tmp_path / "here"), tmp_path / "there"
    there.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", there)
    stage.run(here, params_of(*SMALL))
    first = hashes(here.data)
    stage.run(here, params_of(*SMALL))
    assert hashes(here.data) == first
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload]
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}
    sets = [argument for override in SMALL for argument in ("--set", override)]
    command = [sys.executable, "-m", "pipelines", "simulate", "--root", str(there), *sets]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    assert hashes(there / "data") == first


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are counted in another way here")
def test_same_bytes_however_many_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_PEOPLE_A_GROUP", 10)  # enough groups for several processes
    banks = []
    for cores in ({0}, {0, 1}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: cores)
        workspace = Workspace(tmp_path / str(len(cores)))
        stage.run(workspace, params_of(*SMALL))
        banks.append(hashes(workspace.data))
    assert banks[0] == banks[1]


def test_another_seed_is_another_bank() -> None:
    block = block_of("people=3", "days=10")
    urls = [[line["page"]["url"] for line in made(block, seed)[0]] for seed in (7, 8)]
    assert urls[0] != urls[1]


def test_compression_keeps_no_time_and_no_name(bank: Workspace) -> None:
    header = files(bank)[0].read_bytes()[:10]
    assert header[:4] == b"\x1f\x8b\x08\x00"  # no flags: no file name
    assert header[4:8] == bytes(4)  # no modification time


def test_counts_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage.run(Workspace(tmp_path), params_of("simulate.people=5", "simulate.days=3", "simulate.world=null"))
    said = capsys.readouterr().out
    assert said.startswith("simulate: world null, 5 people")
    counted = ("people", "cookies", "events", "web sessions", "app sessions", "bots", "runs", "impressions", "clicks")
    for word in (*counted, "applications", "approved"):
        assert re.search(rf"\d+ (of \d+ )?{word}", said), word


def test_a_bank_of_one_person_and_one_day_is_written(tmp_path: Path) -> None:
    stage.run(Workspace(tmp_path), params_of("simulate.people=1", "simulate.days=1"))
    assert len(files(Workspace(tmp_path))) == 1
