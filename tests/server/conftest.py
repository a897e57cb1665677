"""What the tests of a real Airflow share: a server on the module's ``clone``, which no test may change for its user."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_client import Server
from repositories import git

from pipelines.paths import Workspace

SETTINGS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",  # seconds until a lost task is noticed; 300 elsewhere
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "10",
}


@pytest.fixture(scope="module")
def server(clone: Workspace) -> Iterator[Server]:
    watch = {"PYTHONPATH": str(Path(__file__).parent / "watch"), "CLICKS_WATCH": str(clone.root.parent / "left.txt")}
    running = Server(clone, clone.root.parent / "home", SETTINGS | watch)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def theirs(clone: Workspace) -> Iterator[None]:
    """Whatever a test does, the user's branch and index stay as they were."""
    before = git(clone.root, "rev-parse", "main", "HEAD"), (clone.root / ".git" / "index").read_bytes()
    yield
    assert (git(clone.root, "rev-parse", "main", "HEAD"), (clone.root / ".git" / "index").read_bytes()) == before
