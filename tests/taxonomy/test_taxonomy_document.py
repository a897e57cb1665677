"""taxonomy.yaml: versions, ids, and what a person may write in it."""

from pathlib import Path

import pytest
import yaml

from pipelines.errors import TeacherError
from pipelines.taxonomy.document import NOTHING_APPROVED, Category, Document, Intent, approved, document, slug


def made(name: str = "Pay bills") -> Document:
    intent = Intent(id=slug(name, set()), name=name, description="d", examples=["e"], keywords=["k"])
    return document([Category(id="c", name="C", description="", intents=[intent])], "offline")


def written(folder: Path, text: str) -> Path:
    path = folder / "taxonomy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_version_is_that_of_the_content(tmp_path: Path) -> None:
    assert made().version == made().version != made("Pay rent").version
    assert approved(written(tmp_path, made().to_yaml())) == made()


def test_an_edited_taxonomy_gets_a_version_of_its_own_and_names_its_parent(tmp_path: Path) -> None:
    edited = approved(written(tmp_path, made().to_yaml().replace("Pay bills", "Pay a bill")))
    assert edited is not None
    assert (edited.parent_version, edited.intents[0].name, edited.intents[0].id) == (
        made().version,
        "Pay a bill",
        "pay-bills",
    )
    assert edited.version not in (made().version, None)


def test_nothing_is_approved_by_an_absent_file_or_by_comments(tmp_path: Path) -> None:
    assert approved(tmp_path / "taxonomy.yaml") is None
    assert approved(written(tmp_path, NOTHING_APPROVED)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("categories: [", "taxonomy.yaml, line 1: not valid YAML"),
        ("secret: 1\n", "taxonomy.yaml: `version`"),
        (made().to_yaml() + "secret: 1\n", "taxonomy.yaml: `secret`"),
        (yaml.safe_dump(made().model_dump() | {"categories": made().model_dump()["categories"] * 2}), "given twice"),
        (made().to_yaml().replace("pay-bills", "Pay Bills!"), r"`categories\.0\.intents\.0\.id`"),
    ],
)
def test_a_broken_file_is_refused_by_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TeacherError, match=message):
        approved(written(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mortgage rates and affordability", "mortgage-rates-affordability"),
        ("Überweisung & Daueraufträge", "uberweisung-dauerauftrage"),
        ("The", "the"),
        ("a " + "long " * 30 + "name", "-".join(["long"] * 9)),
    ],
)
def test_ids_are_short_and_stable(name: str, expected: str) -> None:
    assert slug(name, set()) == expected


def test_a_taken_id_gets_a_number_and_a_name_without_letters_a_hash() -> None:
    taken = {"pay-bills"}
    assert [slug("Pay bills", taken), slug("Pay the bills", taken)] == ["pay-bills-2", "pay-bills-3"]
    assert slug("口座開設", set()).startswith("intent-")
