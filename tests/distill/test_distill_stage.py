"""The whole stage on a small world: what it writes, what it refuses, that it repeats itself."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from students import COSTS, distill_params

from pipelines import schemas
from pipelines.distill import stage
from pipelines.errors import TableError
from pipelines.paths import Workspace
from pipelines.student import Student
from pipelines.student.labels import embedding_matrix
from pipelines.tables import read_table, write_table

PARAMS = distill_params(hidden_dim=16, max_epochs=30)
INTENTS = ("loans", "cards", "savings")
N_SESSIONS, N_LABELLED = 400, 300


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Sessions whose embedding tells their intent, three of four labelled, in an order of their own."""
    found = Workspace(tmp_path)
    found.taxonomy.mkdir(parents=True)
    generator = np.random.default_rng(5)
    ids = [f"s{number:03d}" for number in range(N_SESSIONS)]
    intent = generator.integers(3, size=N_SESSIONS)
    vectors = (np.eye(6)[intent] + generator.normal(0, 0.15, (N_SESSIONS, 6))).astype(np.float32)
    sessions = pa.table({"session_id": ids, "split": generator.choice(["train", "valid", "test"], N_SESSIONS)})
    pq.write_table(sessions, found.sessions)
    order = generator.permutation(N_SESSIONS)
    embeddings = {
        "session_id": [ids[row] for row in order],
        "embedding": [vectors[row].tolist() for row in order],
        "encoder_version": ["encoder-1"] * N_SESSIONS,
    }
    write_table(pa.table(embeddings), found.embeddings, schemas.EMBEDDINGS)
    labelled = generator.permutation(N_SESSIONS)[:N_LABELLED]
    labels = {
        "session_id": [ids[row] for row in labelled],
        "intents": [[INTENTS[intent[row]]] for row in labelled],
        "scores": [[0.9]] * N_LABELLED,
        "taxonomy_version": ["taxonomy-1"] * N_LABELLED,
        "model": ["offline"] * N_LABELLED,
    }
    write_table(pa.table(labels), found.labels, schemas.LABELS)
    write_taxonomy(found, "taxonomy-1")
    return found


def write_taxonomy(workspace: Workspace, version: str) -> None:
    intents = [{"id": intent, "name": intent.title()} for intent in INTENTS]
    categories = [{"id": "one", "intents": intents[:2]}, {"id": "two", "intents": intents[2:]}]
    workspace.used_taxonomy.write_text(yaml.safe_dump({"version": version, "categories": categories}))


def relabelled(workspace: Workspace, keep: list[bool] | pa.ChunkedArray) -> None:
    labels = read_table(workspace.labels, schemas.LABELS)
    write_table(labels.filter(keep), workspace.labels, schemas.LABELS)


def test_every_session_gets_the_intent_that_its_embedding_tells(workspace: Workspace) -> None:
    stage.run(workspace, PARAMS, 7)
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    intents = read_table(workspace.intents, schemas.INTENTS)
    assert intents.column("session_id").to_pylist() == embeddings.column("session_id").to_pylist()
    best = embedding_matrix(embeddings)[:, :3].argmax(axis=1)
    named = [rows[:1] for rows in intents.column("intents").to_pylist()]
    assert np.mean([given == [INTENTS[place]] for given, place in zip(named, best, strict=True)]) > 0.97
    abstained = intents.column("abstained").to_pylist()
    assert abstained == [not given for given in intents.column("intents").to_pylist()]


def test_the_table_is_what_the_saved_student_says(workspace: Workspace) -> None:
    stage.run(workspace, PARAMS, 7)
    student = Student.load(workspace.student)
    assert student.intent_ids == list(INTENTS)
    assert (student.taxonomy_version, student.encoder_version) == ("taxonomy-1", "encoder-1")
    intents = read_table(workspace.intents, schemas.INTENTS)
    assert pc.unique(intents.column("student_version")).to_pylist() == [student.version]
    probabilities = student.probabilities(embedding_matrix(read_table(workspace.embeddings, schemas.EMBEDDINGS)))
    assert intents.column("intents").to_pylist() == student.decide(probabilities)[0]
    np.testing.assert_array_equal(np.array(intents.column("probabilities").to_pylist(), np.float32), probabilities)
    means = probabilities.max(axis=1).mean()
    assert means == pytest.approx(0.9, abs=0.03)  # the teacher is never surer than this


def test_again_gives_the_same_bytes_and_another_seed_does_not(workspace: Workspace) -> None:
    stage.run(workspace, PARAMS, 7)
    files = [workspace.intents, *sorted(workspace.student.iterdir())]
    assert [file.name for file in files[1:]] == ["calibration.json", "meta.json", "student.onnx", "thresholds.json"]
    before = [file.read_bytes() for file in files]
    stage.run(workspace, PARAMS, 7)
    assert [file.read_bytes() for file in files] == before
    stage.run(workspace, PARAMS, 8)
    assert files[3].read_bytes() != before[3]


def test_the_order_of_the_labels_does_not_matter(workspace: Workspace) -> None:
    stage.run(workspace, PARAMS, 7)
    before = workspace.intents.read_bytes()
    labels = read_table(workspace.labels, schemas.LABELS)
    write_table(labels.take(np.arange(len(labels))[::-1]), workspace.labels, schemas.LABELS)
    stage.run(workspace, PARAMS, 7)
    assert workspace.intents.read_bytes() == before


def test_test_labels_move_nothing(workspace: Workspace) -> None:
    stage.run(workspace, PARAMS, 7)
    before = (workspace.student / "student.onnx").read_bytes()
    rows = pq.read_table(workspace.sessions).to_pylist()
    sessions = {row["session_id"]: row["split"] for row in rows}
    labels = read_table(workspace.labels, schemas.LABELS)
    relabelled(workspace, [sessions[name] != "test" for name in labels.column("session_id").to_pylist()])
    stage.run(workspace, PARAMS, 7)
    assert (workspace.student / "student.onnx").read_bytes() == before


def test_meta_says_where_it_comes_from(workspace: Workspace) -> None:
    stage.run(workspace, PARAMS, 7)
    meta = json.loads((workspace.student / "meta.json").read_text())
    assert meta["intents"][0] == {"id": "loans", "name": "Loans"}
    provenance = meta["provenance"]
    assert provenance["teacher"] == "offline"
    assert provenance["candidates"]["perceptron"]["hidden_dim"] == 16
    losses = {name: found["valid_loss"] for name, found in provenance["candidates"].items()}
    assert losses.keys() == {"perceptron", "logistic_regression"}
    assert provenance["network"] == min(losses, key=lambda name: losses[name])
    assert provenance["costs"] == COSTS.model_dump()
    assert provenance["n_train_sessions"] + provenance["n_valid_sessions"] < N_LABELLED


@pytest.mark.parametrize("split", ["train", "valid"])
def test_refuses_when_a_part_has_no_label_and_leaves_what_was_there(workspace: Workspace, split: str) -> None:
    stage.run(workspace, PARAMS, 7)
    before = workspace.intents.read_bytes()
    sessions = pq.read_table(workspace.sessions)
    splits = sessions.column("split").to_pylist()
    place = sessions.schema.get_field_index("split")
    moved = ["embargo" if found == split else found for found in splits]
    pq.write_table(sessions.set_column(place, sessions.schema.field(place), [moved]), workspace.sessions)
    with pytest.raises(TableError, match=f"0 labelled sessions in the {split} part, expected some"):
        stage.run(workspace, PARAMS, 7)
    assert workspace.intents.read_bytes() == before


def test_refuses_a_taxonomy_of_another_version(workspace: Workspace) -> None:
    write_taxonomy(workspace, "taxonomy-2")
    with pytest.raises(TableError, match=r"labels.parquet is of another version than taxonomy.yaml"):
        stage.run(workspace, PARAMS, 7)


@pytest.mark.parametrize("text", ["", "- a", "version: 1\ncategories: []\n", "{", "version: 1\n"])
def test_refuses_a_file_that_is_no_taxonomy(workspace: Workspace, text: str) -> None:
    workspace.used_taxonomy.write_text(text)
    with pytest.raises(TableError, match=r"taxonomy.yaml: expected"):
        stage.run(workspace, PARAMS, 7)


def test_refuses_labels_of_sessions_that_are_gone(workspace: Workspace) -> None:
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    write_table(embeddings.slice(200), workspace.embeddings, schemas.EMBEDDINGS)
    with pytest.raises(TableError, match=r"names a session that embeddings.parquet lacks"):
        stage.run(workspace, PARAMS, 7)


def test_refuses_embeddings_of_two_encoders(workspace: Workspace) -> None:
    embeddings = read_table(workspace.embeddings, schemas.EMBEDDINGS)
    versions = pa.array(["encoder-1"] * 399 + ["encoder-2"])
    write_table(embeddings.set_column(2, "encoder_version", versions), workspace.embeddings, schemas.EMBEDDINGS)
    with pytest.raises(TableError, match="2 encoder versions, expected 1"):
        stage.run(workspace, PARAMS, 7)


def test_an_intent_that_no_session_has_is_kept_and_never_named(workspace: Workspace) -> None:
    taxonomy = yaml.safe_load(workspace.used_taxonomy.read_text())
    taxonomy["categories"][0]["intents"].append({"id": "rare", "name": "Rare"})
    workspace.used_taxonomy.write_text(yaml.safe_dump(taxonomy))
    stage.run(workspace, PARAMS, 7)
    assert Student.load(workspace.student).intent_ids == ["loans", "cards", "rare", "savings"]
    named = read_table(workspace.intents, schemas.INTENTS).column("intents").to_pylist()
    assert not any("rare" in given for given in named)
