"""Labels by people: read, labelled by the teacher too, kept beside its labels."""

from pathlib import Path

import pytest
import yaml
from bank_tables import taxonomy_params, workspace

from pipelines import schemas
from pipelines.errors import TeacherError
from pipelines.tables import read_table
from pipelines.taxonomy.gold import read_gold
from pipelines.taxonomy.stage import run


def test_a_label_a_line_and_a_line_without_one_for_none(tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("session_id,intent\na,pay\nb,\na,save\na,pay\n", encoding="utf-8")
    assert read_gold(path) == {"a": ["pay", "save"], "b": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,pay\n", "line 1: expected the header session_id,intent"),
        ("session_id,intent\na,pay\nsecret\n", "line 3: expected"),
        ("session_id,intent\n,pay\n", "line 2: expected"),
        ("session_id,intent\n", "holds no label"),
    ],
)
def test_another_file_is_refused_by_line_without_its_text(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "gold.csv").write_text(text, encoding="utf-8")
    with pytest.raises(TeacherError, match=message) as refused:
        read_gold(tmp_path / "gold.csv")
    assert "secret" not in str(refused.value)
    with pytest.raises(TeacherError, match="is missing"):
        read_gold(tmp_path / "none.csv")


def test_the_teacher_labels_what_people_did_and_both_are_kept(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    drawn = set(read_table(made.labels, schemas.LABELS).column("session_id").to_pylist())
    left_out = sorted({f"5e551d{number:06d}" for number in range(240)} - drawn)[:5]
    taxonomy = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    intent = taxonomy["categories"][0]["intents"][0]["id"]
    gold = made.root / "gold.csv"
    gold.write_text("session_id,intent\n" + "".join(f"{key},{intent}\n" for key in left_out), encoding="utf-8")
    run(made, taxonomy_params(repository, gold="gold.csv"), seed=7)
    labelled = set(read_table(made.labels, schemas.LABELS).column("session_id").to_pylist())
    assert labelled == drawn | set(left_out)
    kept = read_table(made.gold, schemas.LABELS)
    assert kept.column("session_id").to_pylist() == left_out
    assert set(kept.column("model").to_pylist()) == {"people"}
    for wrong, message in (
        (f"{left_out[0]},no-such\n", "1 labels name no intent"),
        (f"other,{intent}\n", "1 of its 1"),
    ):
        gold.write_text("session_id,intent\n" + wrong, encoding="utf-8")
        with pytest.raises(TeacherError, match=message):
            run(made, taxonomy_params(repository, gold="gold.csv"), seed=7)
