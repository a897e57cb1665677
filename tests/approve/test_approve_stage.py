"""From a proposal to the approved taxonomy, and when there is none."""

from pathlib import Path

import pytest

from pipelines import params
from pipelines.approve.pending import approve, pending
from pipelines.approve.stage import run
from pipelines.errors import ApprovalError
from pipelines.paths import Workspace
from pipelines.taxonomy.document import NOTHING_APPROVED, Category, Document, Intent, approved, document
from pipelines.taxonomy.versions import renewed


def taxonomy(*names: str) -> Document:
    intents = [Intent(id=name, name=name.title(), description="", examples=[], keywords=[name]) for name in names]
    return document([Category(id="all", name="All", description="", intents=intents)], "made-up")


@pytest.fixture
def made(tmp_path: Path) -> Workspace:
    """A root whose taxonomy stage ran, with nothing approved."""
    workspace = Workspace(tmp_path)
    workspace.taxonomy.mkdir(parents=True)
    workspace.approved_taxonomy.write_text(NOTHING_APPROVED, encoding="utf-8")
    workspace.used_taxonomy.write_text(taxonomy("loans").to_yaml(), encoding="utf-8")
    return workspace


def propose(made: Workspace, old: Document, new: Document) -> Document:
    proposed, diff = renewed(old, new, [], [], why="coverage fell")
    made.proposed_taxonomy.write_text(proposed.to_yaml(), encoding="utf-8")
    made.taxonomy_diff.write_text(diff.model_dump_json(), encoding="utf-8")
    return proposed


def test_the_first_taxonomy_is_approved_on_a_yes_and_then_nothing_awaits_approval(
    made: Workspace, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = params.load(repository / "params.yaml")
    with pytest.raises(ApprovalError, match="add --yes"):
        run(made, everything, yes=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    run(made, everything, yes=False)
    assert made.approved_taxonomy.read_text(encoding="utf-8") == NOTHING_APPROVED
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    run(made, everything, yes=False)
    assert "Loans  (loans)" in capsys.readouterr().out
    assert approved(made.approved_taxonomy) == taxonomy("loans")
    with pytest.raises(ApprovalError, match="nothing awaits approval"):
        run(made, everything, yes=True)


def test_a_proposal_replaces_the_taxonomy_that_it_was_made_for_and_no_other(
    made: Workspace, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = taxonomy("loans")
    made.approved_taxonomy.write_text(old.to_yaml(), encoding="utf-8")
    proposed = propose(made, old, taxonomy("loans", "cards"))
    run(made, params.load(repository / "params.yaml"), yes=True)
    assert "New intents: 1\n  nothing -> Cards" in capsys.readouterr().out
    assert approved(made.approved_taxonomy) == proposed
    made.approved_taxonomy.write_text(taxonomy("houses").to_yaml(), encoding="utf-8")
    with pytest.raises(ApprovalError, match="re-run taxonomy"):
        pending(made)


def test_what_changed_since_it_was_shown_is_not_approved(made: Workspace) -> None:
    awaited = pending(made)
    assert awaited is not None
    made.approved_taxonomy.write_text("# by another hand\n", encoding="utf-8")
    with pytest.raises(ApprovalError, match="changed meanwhile"):
        approve(made, awaited)
