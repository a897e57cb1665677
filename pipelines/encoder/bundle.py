"""The trained encoder as a folder, and the embedding of new sessions with it."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import load_file, save_file

from pipelines.encoder import arrays
from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.export import onnx_bytes
from pipelines.encoder.fields import Field, fields_from
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.shape import Shape
from pipelines.encoder.text import page_texts
from pipelines.encoder.text_table import TextTable
from pipelines.errors import TableError
from pipelines.threads import one_thread

EMBED_BATCH_SIZE: Final = 1024


@dataclass(frozen=True)
class Encoder:
    """A frozen session encoder with all it needs to read sessions it has never seen."""

    model: SessionEncoder
    shape: Shape
    fields: tuple[Field, ...]
    text_table: TextTable
    text_model: str
    max_events: int
    version: str = ""

    @property
    def embedding_dim(self) -> int:
        return self.shape.embedding_dim

    def embed(self, sessions: pa.Table, pages: pa.Table) -> np.ndarray:
        """Returns the embedding of each of N ``sessions``, float32 (N, D), in their order.

        Args:
            sessions: schemas.SESSIONS.
            pages: the catalogue (schemas.PAGES) of the pages in them; pages new to the encoder are read by their text.
        """
        texts = page_texts(pages)
        vectors = self.text_table.extended(texts, self.text_model).rows(texts)
        places = arrays.page_places(pages)
        return self.embed_arrays(arrays.session_arrays(sessions, self.fields, places, vectors, self.max_events))

    def embed_arrays(self, inputs: SessionArrays) -> np.ndarray:
        """Returns the embeddings, float32 (N, D), of sessions that are tokens already."""
        self.model.eval()

        def embed(rows: np.ndarray) -> np.ndarray:
            with torch.inference_mode():  # of this thread
                return np.asarray(self.model(*(torch.from_numpy(part) for part in inputs.distinct(rows))))

        with one_thread():
            return inputs.embedded(embed, EMBED_BATCH_SIZE, self.embedding_dim)

    def save(self, folder: Path) -> "Encoder":
        """Writes the encoder to ``folder``; returns it with its version, a hash of all that was written."""
        folder.mkdir(parents=True)
        save_file({**self.model.state_dict(), **self._vectors()}, folder / "weights.safetensors")
        meta = {
            "shape": asdict(self.shape),
            "fields": [asdict(field) for field in self.fields],
            "texts": self.text_table.texts,
            "text_model": self.text_model,
            "max_events": self.max_events,
        }
        digest = hashlib.sha256((folder / "weights.safetensors").read_bytes() + json.dumps(meta).encode())
        version = f"encoder-{digest.hexdigest()[:12]}"
        (folder / "encoder.onnx").write_bytes(onnx_bytes(self.model, self.shape, self.fields, version))
        (folder / "meta.json").write_text(json.dumps({"version": version, **meta}, indent=1, ensure_ascii=False))
        return replace(self, version=version)

    @classmethod
    def load(cls, folder: Path) -> "Encoder":
        """Returns the encoder that was saved in ``folder``.

        Raises:
            TableError: the folder does not hold an encoder.
        """
        try:
            meta = json.loads((folder / "meta.json").read_text())
            weights = load_file(folder / "weights.safetensors")
        except FileNotFoundError:
            raise TableError(f"{folder} holds no encoder: run `python -m pipelines pretrain` first") from None
        vectors = weights.pop("text_table").numpy()
        shape = Shape(**meta["shape"])
        fields = fields_from(meta["fields"])
        model = SessionEncoder(shape, fields)
        model.load_state_dict(weights)
        texts = TextTable(tuple(meta["texts"]), vectors)
        return cls(model, shape, fields, texts, meta["text_model"], meta["max_events"], meta["version"])

    def _vectors(self) -> dict[str, torch.Tensor]:
        return {"text_table": torch.from_numpy(self.text_table.vectors)}
