"""The trained encoder as scoring loads it: the ONNX graph of its folder, with no torch in the process.

Axis legend: N sessions, D embedding.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
import pyarrow as pa
from safetensors import safe_open

from pipelines.encoder import arrays
from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.fields import Field, fields_from
from pipelines.encoder.inference import opened
from pipelines.encoder.text import page_texts
from pipelines.encoder.text_table import TextTable
from pipelines.errors import TableError

BATCH_SIZE: Final = 256  # sessions of similar length that are embedded at once
CHUNK_SIZE: Final = 50_000  # sessions that are tokens at once: bounds the memory


@dataclass(frozen=True)
class Runtime:
    """A frozen session encoder with all it needs to read sessions it has never seen."""

    graph: onnxruntime.InferenceSession
    fields: tuple[Field, ...]
    text_table: TextTable
    text_model: str
    max_events: int
    version: str

    @cached_property
    def embedding_dim(self) -> int:
        return int(self.graph.get_outputs()[0].shape[1])

    @cached_property
    def reads_distinct_events(self) -> bool:
        """False of a champion promoted before graphs read each distinct event once: it serves on."""
        return any(one.name == "places" for one in self.graph.get_inputs())

    def embed(self, sessions: pa.Table, pages: pa.Table) -> np.ndarray:
        """Returns the embedding of each of N ``sessions``, float32 (N, D), in their order.

        Args:
            sessions: schemas.SESSIONS.
            pages: the catalogue (schemas.PAGES) of the pages in them; pages new to the encoder are read by their text.
        """
        chunks = (sessions.slice(start, CHUNK_SIZE) for start in range(0, len(sessions), CHUNK_SIZE))
        none = np.empty((0, self.embedding_dim), dtype=np.float32)
        return np.concatenate([none, *self.stream(chunks, pages)])

    def stream(self, chunks: Iterable[pa.Table], pages: pa.Table) -> Iterator[np.ndarray]:
        """Yields the embeddings of one chunk of sessions after another, so that no more than one need be in memory."""
        texts, places = page_texts(pages), arrays.page_places(pages)
        vectors = self.text_table.extended(texts, self.text_model).rows(texts)
        for chunk in chunks:
            yield self.embed_arrays(arrays.session_arrays(chunk, self.fields, places, vectors, self.max_events))

    def embed_arrays(self, inputs: SessionArrays) -> np.ndarray:
        """Returns the embeddings, float32 (N, D), of sessions that are tokens already."""
        batch = inputs.distinct if self.reads_distinct_events else inputs.batch

        def embed(rows: np.ndarray) -> np.ndarray:
            return np.asarray(self.graph.run(None, batch(rows)._asdict())[0])

        return inputs.embedded(embed, BATCH_SIZE, self.embedding_dim)

    @classmethod
    def load(cls, folder: Path) -> "Runtime":
        """Returns the encoder that was saved in ``folder``.

        Raises:
            TableError: the folder does not hold an encoder, or files of two of them.
        """
        try:
            meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
            graph = opened((folder / "encoder.onnx").read_bytes(), 1)
            with safe_open(folder / "weights.safetensors", framework="numpy") as weights:
                vectors = weights.get_tensor("text_table")
        except FileNotFoundError:
            raise TableError(f"{folder} holds no encoder: run `python -m pipelines pretrain` first") from None
        if graph.get_modelmeta().custom_metadata_map.get("encoder_version") != meta["version"]:
            raise TableError(f"{folder} mixes files of two encoders: run `python -m pipelines pretrain` again")
        texts = TextTable(tuple(meta["texts"]), vectors)
        return cls(graph, fields_from(meta["fields"]), texts, meta["text_model"], meta["max_events"], meta["version"])
