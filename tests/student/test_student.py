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

from pipelines.errors import TableError
from pipelines.student import Card, Student
from pipelines.student.curve import Curve
from pipelines.student.graph import Affine, Layers, onnx_bytes
from pipelines.student.single import Single

CARD = Card(
    intents={"loans": "Loans", "cards": "Cards", "savings": "Savings"},
    thresholds=(0.5, 0.4, 0.6),
    abstain_below=0.45,
    taxonomy_version="taxonomy-1",
    encoder_version="encoder-1",
    calibration={
        "loans": Curve("as trained"),
        "cards": Curve("platt", 0.5, 0.3),
        "savings": Curve.through("isotonic", [(-2.0, -3.0), (0.0, -0.5), (1.5, 2.0)]),
    },
    provenance={"seed": 7},
)


def network() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def affine(linear: nn.Module) -> Affine:
    assert isinstance(linear, nn.Linear)
    return Affine(linear.weight.detach().numpy().T, linear.bias.detach().numpy())


def layers(net: nn.Sequential) -> Layers:
    return Layers((affine(net[0]),), affine(net[2]))


def student() -> Student:
    return Student(onnx_bytes(layers(network()).calibrated(list(CARD.calibration.values()))), CARD)


def embeddings(n_sessions: int) -> np.ndarray:
    return np.random.default_rng(1).normal(2.0, 3.0, (n_sessions, 8)).astype(np.float32)


def test_the_graph_answers_as_torch_does_with_scaling_and_calibration_folded_in() -> None:
    vectors, trained = embeddings(200), network()
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    curves = list(CARD.calibration.values())
    with torch.no_grad():
        logits = trained(torch.from_numpy((vectors - mean) / deviation)).numpy().astype(np.float64)
    bent = np.stack([curve.of(logits[:, label]) for label, curve in enumerate(curves)], axis=1)
    assert (logits[:, 2] > 0).any()  # beyond more than one knot
    folded = layers(trained).standardized(mean, deviation).calibrated(curves)
    found = Student(onnx_bytes(folded), CARD).probabilities(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-bent)), atol=1e-5)


def test_without_a_hidden_layer_it_is_logistic_regression() -> None:
    vectors, generator = embeddings(50), np.random.default_rng(5)
    output = Affine(generator.normal(size=(8, 3)), generator.normal(size=3))
    curves = list(CARD.calibration.values())
    folded = Layers((), output).standardized(np.full(8, 2.0), np.full(8, 3.0)).calibrated(curves)
    logits = (vectors.astype(np.float64) - 2) / 3 @ output.weight + output.bias
    bent = np.stack([curve.of(logits[:, label]) for label, curve in enumerate(curves)], axis=1)
    np.testing.assert_allclose(
        Student(onnx_bytes(folded), CARD).probabilities(vectors), 1 / (1 + np.exp(-bent)), atol=1e-5
    )


def test_a_curve_by_hand() -> None:
    curve = Curve.through("isotonic", [(0.0, 1.0), (2.0, 5.0), (3.0, 5.5)])
    # slope 1 before the first point, 2 between the first two, a half to the third, 1 again behind it
    assert curve.of(np.array([-1.0, 0.0, 1.0, 2.0, 2.5, 3.0, 5.0])).tolist() == [0, 1, 3, 5, 5.25, 5.5, 7.5]


def test_the_same_weights_give_the_same_bytes() -> None:
    assert onnx_bytes(layers(network())) == onnx_bytes(layers(network()))


def test_an_answer_does_not_depend_on_the_batch_around_it() -> None:
    vectors = embeddings(50)
    alone = np.concatenate([student().probabilities(vectors[row : row + 1]) for row in range(50)])
    np.testing.assert_allclose(student().probabilities(vectors), alone, atol=1e-6)


def test_blocks_on_two_threads_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = embeddings(1000)
    at_once = student().probabilities(vectors)
    monkeypatch.setattr("pipelines.student.bundle.ROWS_AT_ONCE", 64)
    np.testing.assert_allclose(student().probabilities(vectors), at_once, atol=1e-6)


def test_one_session_alone_is_answered_as_in_a_batch() -> None:
    found, vectors = (
        replace(student(), card=replace(CARD, thresholds=(0.8, 0.7, 0.9), abstain_below=0.85)),
        embeddings(300),
    )
    alone = Single(found)
    answers = [alone(vector) for vector in vectors]
    probabilities = found.probabilities(vectors)
    np.testing.assert_allclose([answer.probabilities for answer in answers], probabilities, atol=1e-6)
    assert [answer.intents for answer in answers] == found.decide(probabilities)[0]
    assert {len(answer.intents) for answer in answers} >= {0, 1, 2}


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
    one, zero = np.ones((1, 1)), np.zeros(1)
    net = Layers((Affine(2 * one, zero),), Affine(one, zero))  # logit = relu(2 x)
    folded = net.standardized(np.array([1.0]), np.array([2.0])).calibrated([Curve("platt", 3.0, -1.0)])
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
