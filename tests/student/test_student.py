"""The student as a folder: what it answers, what it refuses, what loading it costs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.distill.training import layers
from pipelines.errors import TableError
from pipelines.student import Card, Student
from pipelines.student.graph import Layers, onnx_bytes

CARD = Card(
    intents={"loans": "Loans", "cards": "Cards", "savings": "Savings"},
    thresholds=(0.5, 0.4, 0.6),
    abstain_below=0.45,
    taxonomy_version="taxonomy-1",
    encoder_version="encoder-1",
    calibration={intent: {"slope": 1.0, "intercept": 0.0} for intent in ("loans", "cards", "savings")},
    provenance={"seed": 7},
)


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def student() -> Student:
    return Student(onnx_bytes(layers(network())), CARD)


def embeddings(n_sessions: int) -> np.ndarray:
    return np.random.default_rng(1).normal(2.0, 3.0, (n_sessions, 8)).astype(np.float32)


def test_the_graph_answers_as_torch_does_with_scaling_and_calibration_folded_in() -> None:
    vectors, trained = embeddings(200), network()
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    slopes, intercepts = np.array([0.5, 1.0, 2.0]), np.array([0.3, 0.0, -1.0])
    folded = layers(trained).standardized(mean, deviation).calibrated(slopes, intercepts)
    with torch.no_grad():
        logits = trained(torch.from_numpy((vectors - mean) / deviation))
        expected = torch.sigmoid(logits * torch.from_numpy(slopes) + torch.from_numpy(intercepts)).numpy()
    found = Student(onnx_bytes(folded), CARD).probabilities(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_same_weights_give_the_same_bytes() -> None:
    assert onnx_bytes(layers(network())) == onnx_bytes(layers(network()))


def test_an_answer_does_not_depend_on_the_batch_around_it() -> None:
    vectors = embeddings(50)
    alone = np.concatenate([student().probabilities(vectors[row : row + 1]) for row in range(50)])
    np.testing.assert_allclose(student().probabilities(vectors), alone, atol=1e-6)


def test_no_sessions_give_no_answers() -> None:
    found = student()
    probabilities = found.probabilities(embeddings(0))
    assert probabilities.shape == (0, 3)
    assert found.decide(probabilities)[0] == []


def test_decides_by_threshold_most_probable_first_and_abstains_where_unsure() -> None:
    probabilities = np.array(
        [
            [0.5, 0.9, 0.1],  # both reach their thresholds, 0.5 exactly
            [0.4, 0.44, 0.1],  # cards reaches 0.4, but nothing reaches abstain_below
            [0.1, 0.3, 0.59],  # sure enough, but below its own threshold
            [0.6, 0.6, 0.6],  # equal: in the order of the axis
        ],
        dtype=np.float32,
    )
    intents, abstained = student().decide(probabilities)
    assert intents == [["cards", "loans"], [], [], ["loans", "cards", "savings"]]
    assert abstained.tolist() == [False, True, True, False]


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    saved = student()
    saved.save(tmp_path / "student")
    loaded = Student.load(tmp_path / "student")
    assert loaded == saved
    assert loaded.version == saved.version
    assert loaded.intent_ids == ["loans", "cards", "savings"]
    assert (loaded.taxonomy_version, loaded.encoder_version) == ("taxonomy-1", "encoder-1")
    np.testing.assert_array_equal(loaded.probabilities(embeddings(9)), saved.probabilities(embeddings(9)))


@pytest.mark.parametrize(
    "change", [{"thresholds": (0.5, 0.4, 0.61)}, {"taxonomy_version": "taxonomy-2"}, {"abstain_below": 0.2}]
)
def test_the_version_changes_with_what_decides(change: dict[str, object]) -> None:
    changed = replace(student(), card=replace(CARD, **change))  # type: ignore[arg-type]
    assert changed.version != student().version


def test_the_version_does_not_change_with_provenance() -> None:
    assert replace(student(), card=replace(CARD, provenance={"seed": 8})).version == student().version


def test_refuses_a_folder_without_a_student(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no student: run `python -m pipelines distill` first"):
        Student.load(tmp_path)


def test_refuses_files_of_two_students(tmp_path: Path) -> None:
    student().save(tmp_path / "student")
    thresholds = tmp_path / "student" / "thresholds.json"
    thresholds.write_text(json.dumps(json.loads(thresholds.read_text()) | {"abstain_below": 0.1}))
    with pytest.raises(TableError, match="mixes files of two students"):
        Student.load(tmp_path / "student")


@pytest.mark.parametrize(
    ("name", "content"), [("student.onnx", b"not a graph"), ("meta.json", b"{"), ("thresholds.json", b"[]")]
)
def test_refuses_a_damaged_file(tmp_path: Path, name: str, content: bytes) -> None:
    student().save(tmp_path / "student")
    (tmp_path / "student" / name).write_bytes(content)
    with pytest.raises(TableError, match="damaged student"):
        Student.load(tmp_path / "student")


def test_refuses_embeddings_of_another_dimension() -> None:
    with pytest.raises(TableError, match="embeddings have 7 dimensions, the student expects 8"):
        student().probabilities(np.zeros((2, 7), np.float32))


def test_scaling_is_exact_on_a_hand_computed_net() -> None:
    one = np.ones((1, 1), np.float32)
    net = Layers(2 * one, np.zeros(1, np.float32), one, np.zeros(1, np.float32))  # logit = relu(2 x)
    folded = net.standardized(np.array([1.0]), np.array([2.0])).calibrated(np.array([3.0]), np.array([-1.0]))
    card = replace(CARD, intents={"loans": "Loans"}, thresholds=(0.5,))
    found = Student(onnx_bytes(folded), card).probabilities(np.array([[2.0], [0.0]], np.float32))
    # x = 2: (2 - 1) / 2 * 2 = 1, times 3 minus 1 is 2; x = 0: relu gives 0, minus 1
    np.testing.assert_allclose(found.ravel(), [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1))], rtol=1e-6)


def test_loading_imports_no_torch(tmp_path: Path) -> None:
    student().save(tmp_path / "student")
    code = (
        "import sys; from pathlib import Path; from pipelines.student import Student;"
        "Student.load(Path(sys.argv[1])); print(sorted({'torch', 'onnx'} & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "student")]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert printed.stdout.strip() == "[]"
