"""The frozen text vectors that an encoder knows, by the text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.encoder.text import text_vectors


@dataclass(frozen=True)
class TextTable:
    """Frozen text vectors of pages, (P, text_dim), and the texts that they stand for."""

    texts: tuple[str, ...]
    vectors: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], model_name: str) -> "TextTable":
        """Returns the vectors of ``texts``, each once."""
        unique = sorted(set(texts))
        return cls(tuple(unique), text_vectors(unique, model_name))

    def extended(self, texts: Sequence[str], model_name: str) -> "TextTable":
        """Returns the table with the ``texts`` that it lacks added; known texts keep their very vectors."""
        known = set(self.texts)
        new = [text for text in texts if text not in known]
        if not new:
            return self
        added = TextTable.of(new, model_name)
        return TextTable(self.texts + added.texts, np.concatenate([self.vectors, added.vectors]))

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the vectors of ``texts`` behind a row of zeros, float32 (P + 1, text_dim)."""
        places = {text: place for place, text in enumerate(self.texts)}
        vectors = self.vectors[[places[text] for text in texts]]
        return np.concatenate([np.zeros_like(self.vectors[:1]), vectors])
