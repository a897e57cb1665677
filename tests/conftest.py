"""Fixtures that all tests share: the tiny profile, one run of the whole pipeline on it, the folder of real data."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from tiny import REPOSITORY, run_command, tiny_values, write_tiny_params

from pipelines import telemetry
from pipelines.__main__ import STAGES
from pipelines.paths import Workspace

# The same examples in every run; no deadline, since a busy machine is no defect.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")

telemetry.switch_off()  # before any test imports a library that would look for a network

NOTHING_SKIPPED = os.environ.get("CLICKS_REQUIRE_DATA") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skipped test into a failed one where CLICKS_REQUIRE_DATA=1 says that its data is there."""
    report = yield
    if NOTHING_SKIPPED and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CLICKS_REQUIRE_DATA=1 forbids: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def tiny_params() -> dict[str, Any]:
    """The values of the tiny profile, as params.yaml would hold them."""
    return tiny_values()


@pytest.fixture(scope="session")
def tiny_bank(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A root with the tiny demo bank, where no stage ran: read it, or copy it; never write in it."""
    root = tmp_path_factory.mktemp("bank")
    write_tiny_params(root)
    run_command("simulate", root)
    return Workspace(root)


@pytest.fixture(scope="session")
def tiny_run(tiny_bank: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A root where all stages ran on the tiny demo bank: read it, or copy it; never write in it.

    What the stages printed is in its file printed.txt.
    """
    root = tmp_path_factory.mktemp("run") / "workspace"
    shutil.copytree(tiny_bank.root, root)
    printed = [run_command(stage, root) for stage in STAGES]
    (root / "printed.txt").write_text("".join(printed), encoding="utf-8")
    return Workspace(root)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, one sub-folder a data set: $CLICKS_DATA, or shared/data beside the repository.

    A test that asks for it is skipped where there is none.
    """
    folder = Path(os.environ.get("CLICKS_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real data: put it in ../shared/data, or name its folder by CLICKS_DATA")
    return folder
