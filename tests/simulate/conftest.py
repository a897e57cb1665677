"""One demo bank with the repository's numbers, fewer people, made once for all tests of the simulator."""

import json
from typing import Any

import pytest
from simulated import N_DAYS, N_PEOPLE, params_of, truth, whole_lines

from pipelines.paths import Workspace
from pipelines.simulate import stage


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A root with the bank: read it, never write in it."""
    workspace = Workspace(tmp_path_factory.mktemp("simulated"))
    stage.run(workspace, params_of(f"simulate.people={N_PEOPLE}", f"simulate.days={N_DAYS}"))
    return workspace


@pytest.fixture(scope="session")
def lines(bank: Workspace) -> list[dict[str, Any]]:
    """Every line that is not broken, in order of arrival."""
    return [json.loads(line) for line in whole_lines(bank)]


@pytest.fixture(scope="session")
def events(lines: list[dict[str, Any]], bank: Workspace) -> list[dict[str, Any]]:
    """What people did, once each, in order of time as clients tell it."""
    machines = {row["client_id"] for row in truth(bank, "bots")}
    human = [line for line in lines if line["client"]["id"] not in machines]
    once = {line["id"] or f"without id {number}": line for number, line in enumerate(human)}
    return sorted(once.values(), key=lambda event: str(event["sent_at"]))
