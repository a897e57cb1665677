"""The teacher's labels as a matrix: what the student learns from, and is compared with."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import TableError
from pipelines.schemas import OTHER

NAMED_FROM: Final = 0.5
"""The teacher names an intent when its soft score reaches this: with several answers a session, when most agree."""


def score_matrix(labels: pa.Table, intent_ids: Sequence[str]) -> np.ndarray:
    """Returns the soft scores of N ``labels`` (schemas.LABELS), float32 (N, C); 0 where an intent is not listed.

    Raises:
        TableError: a row's intents and scores differ in number, or an intent is not of this taxonomy.
    """
    intents, scores = labels.column("intents").combine_chunks(), labels.column("scores").combine_chunks()
    if not pc.all(pc.equal(pc.list_value_length(intents), pc.list_value_length(scores)), min_count=0).as_py():
        raise TableError("labels.parquet: a row's `intents` and `scores` differ in number: re-run taxonomy")
    named, score = pc.list_flatten(intents), pc.list_flatten(scores)
    covered = pc.not_equal(named, OTHER)  # no column: the session has none of these intents
    columns = pc.index_in(named.filter(covered), value_set=pa.array(intent_ids, pa.string()))
    if columns.null_count:
        raise TableError("labels.parquet names an intent that taxonomy.yaml lacks: re-run taxonomy")
    matrix = np.zeros((len(labels), len(intent_ids)), dtype=np.float32)
    rows = pc.list_parent_indices(intents).filter(covered)
    matrix[rows.to_numpy(), columns.to_numpy()] = score.filter(covered).to_numpy()
    return matrix


def id_matrix(intents: pa.ChunkedArray, intent_ids: Sequence[str]) -> np.ndarray:
    """Returns bool (N, C): which of ``intent_ids`` each of N lists of ids holds."""
    lists = intents.combine_chunks()
    columns = pc.index_in(pc.list_flatten(lists), value_set=pa.array(intent_ids, pa.string()))
    if columns.null_count:
        raise TableError("intents.parquet names an intent that the student lacks: re-run distill")
    matrix = np.zeros((len(lists), len(intent_ids)), dtype=bool)
    matrix[pc.list_parent_indices(lists).to_numpy(), columns.to_numpy()] = True
    return matrix


def embedding_matrix(embeddings: pa.Table) -> np.ndarray:
    """Returns the vectors of ``embeddings`` (schemas.EMBEDDINGS) as float32 (N, D).

    Raises:
        TableError: they differ in length.
    """
    vectors = embeddings.column("embedding").combine_chunks()
    lengths = pc.unique(pc.list_value_length(vectors)).to_pylist()
    if len(lengths) > 1:
        raise TableError("embeddings.parquet: vectors of more than one length: re-run pretrain")
    flat = pc.list_flatten(vectors).to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(embeddings), lengths[0] if lengths else 0)
