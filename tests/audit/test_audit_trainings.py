"""An audit that is killed goes on where it was."""

from pathlib import Path

import pytest

from pipelines.audit.trainings import Trainings
from pipelines.params import Params, load
from pipelines.paths import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.artifacts.mkdir()
    made.sessions.write_bytes(b"sessions")
    made.pages.write_bytes(b"pages")
    return made


@pytest.fixture
def params(repository: Path) -> Params:
    return load(repository / "params.yaml")


def test_what_was_found_is_not_found_again_and_what_was_under_way_keeps_its_folder(
    workspace: Workspace, params: Params
) -> None:
    tried: list[bool] = []

    def killed(private: Workspace) -> float:
        tried.append(private.embeddings.exists())
        private.embeddings.write_bytes(b"half")
        if len(tried) == 1:
            raise KeyboardInterrupt
        return 0.75

    with pytest.raises(KeyboardInterrupt):
        Trainings.of(workspace, params).figure("plain-7", killed)
    assert Trainings.of(workspace, params).figure("plain-7", killed) == 0.75
    assert tried == [False, True], "it resumes from what it left"
    trainings = Trainings.of(workspace, params)
    assert trainings.figure("plain-7", killed) == 0.75
    assert len(tried) == 2
    assert not list(workspace.audit.rglob("*.parquet")), "no sessions stay of a training that ended"
    trainings.clear()
    assert not workspace.audit.exists()


def test_other_sessions_or_values_are_another_audit(workspace: Workspace, params: Params) -> None:
    assert Trainings.of(workspace, params).figure("plain-7", lambda _: 0.5) == 0.5
    other = params.model_copy(update={"pretrain": params.pretrain.model_copy(update={"temperature": 0.07})})
    assert Trainings.of(workspace, other).figure("plain-7", lambda _: 0.6) == 0.6
    workspace.sessions.write_bytes(b"more sessions")
    assert Trainings.of(workspace, params).figure("plain-7", lambda _: 0.7) == 0.7
    assert len(list(workspace.audit.iterdir())) == 1, "what is left of others is deleted"
