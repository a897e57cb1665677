"""A taxonomy that was approved in a run is not undone by the older one in the user's folder."""

from pathlib import Path

import pytest

from pipelines import champion
from pipelines.champion import Champion, Manifest, Record, Served
from pipelines.paths import Workspace
from pipelines.retrain.taxonomies import settle
from pipelines.taxonomy.document import NOTHING_APPROVED, Category, Document, Intent, document


def taxonomy(name: str, parent: Document | None = None) -> Document:
    intent = Intent(id=name, name=name, description="", examples=[], keywords=[name])
    category = Category(id="all", name="All", description="", intents=[intent])
    return document([category], "made-up", parent.version if parent else None)


FIRST = taxonomy("loans")
SECOND = taxonomy("cards", FIRST)
THIRD = taxonomy("houses", SECOND)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three champions, each with a taxonomy made from that of the one before."""
    for number, held in enumerate((FIRST, SECOND, THIRD)):
        bundle = tmp_path / "champions" / f"000{number}"
        bundle.mkdir(parents=True)
        (bundle / champion.TAXONOMY).write_text(held.to_yaml(), encoding="utf-8")
        (bundle / champion.MANIFEST).write_text("", encoding="utf-8")
    return Workspace(tmp_path)


def the_champion(workspace: Workspace, number: int, held: Document) -> Champion:
    record = Record(
        version="v", git_tag=None, encoder_version="", taxonomy_version=held.version, student_version="", promoted_at=""
    )
    manifest = Manifest(record=record, previous=None, files={})
    return Champion(workspace.champions / f"000{number}", manifest, Served.model_construct())


@pytest.mark.parametrize(
    ("in_the_folder", "new", "used"),
    [
        (NOTHING_APPROVED, False, THIRD),
        (FIRST.to_yaml(), False, THIRD),
        (SECOND.to_yaml(), False, THIRD),
        (THIRD.to_yaml(), False, THIRD),
        (taxonomy("boats", THIRD).to_yaml(), True, taxonomy("boats", THIRD)),
    ],
    ids=["nothing", "two before", "the one before", "the same", "another"],
)
def test_the_champions_holds_unless_another_was_approved(
    in_the_folder: str, new: bool, used: Document, workspace: Workspace, tmp_path: Path
) -> None:
    made = Workspace(tmp_path / "made")
    made.root.mkdir()
    made.approved_taxonomy.write_text(in_the_folder, encoding="utf-8")
    assert settle(workspace, made, the_champion(workspace, 2, THIRD)) is new
    assert made.approved_taxonomy.read_text("utf-8") == used.to_yaml()


def test_after_a_rollback_the_successor_is_another(workspace: Workspace, tmp_path: Path) -> None:
    made = Workspace(tmp_path / "made")
    made.root.mkdir()
    made.approved_taxonomy.write_text(THIRD.to_yaml(), encoding="utf-8")
    assert settle(workspace, made, the_champion(workspace, 0, FIRST))
