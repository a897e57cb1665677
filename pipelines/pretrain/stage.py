"""pretrain: sessions -> artifacts/encoder, artifacts/embeddings.parquet, reports/curves, reports/encoder.json."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

import pipelines.encoder
import pipelines.pretrain
from pipelines import schemas
from pipelines.encoder import Encoder, Runtime
from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.shape import Shape
from pipelines.params import AttentionNetwork, Pretrain
from pipelines.paths import Workspace, staged
from pipelines.pretrain import audits
from pipelines.pretrain.audits.subject import Subject
from pipelines.pretrain.batches import loader
from pipelines.pretrain.corpus import SESSIONS_A_READ, Corpus, key, tokenised
from pipelines.pretrain.curves import Curves
from pipelines.pretrain.narrowing import narrowed
from pipelines.pretrain.training import Training, fit
from pipelines.threads import one_thread

N_WATCHED: Final = 2_000
"""Sessions of the validation part, at most, behind the curves: enough for three digits, whatever the size."""
N_WEIGHED: Final = 50_000
"""Sessions of the training part, at most, by which directions of the embedding are weighed."""


def run(workspace: Workspace, params: Pretrain, seed: int) -> None:
    """Trains the encoder on the training part and embeds every session.

    Raises:
        TableError: sessions or pages are missing, or no session is in the training part.
        ParamsError: `pretrain.fields` names a column that session events lack, or the text model is not on disk.
        AuditError: the encoder is beyond a limit of `pretrain.audits`; the former one stays.
    """
    corpus = tokenised(workspace, params)
    checkpoints = workspace.cache / "checkpoints" / _key(workspace, params, seed)
    made = trained(corpus, params, seed, checkpoints)
    if made is None:
        return
    encoder, curves = made
    with staged(workspace, "pretrain") as staging:
        encoder = encoder.save(staging.path(workspace.encoder))
        runtime = Runtime.load(staging.path(workspace.encoder))  # the very graph that `score` runs
        write_embeddings(runtime, corpus.arrays, workspace.sessions, staging.path(workspace.embeddings))
        curves.copy_to(staging.path(workspace.curves))
        figures = audits.measured(Subject.of(workspace, runtime, seed))
        audits.insist(figures, params.audits)
        audits.write(figures, staging.path(workspace.encoder_report))
    shutil.rmtree(checkpoints)
    n_sessions = len(corpus.arrays)
    print(f"pretrain: {encoder.version}: {n_sessions:,} sessions embedded in {encoder.embedding_dim} numbers each")


def untrained(corpus: Corpus, params: Pretrain, seed: int) -> Encoder:
    """Returns an encoder with seeded random weights that knows the training part's values, and the pages' texts."""
    network = params.network
    shape = Shape(
        architecture=params.architecture,
        pooling=params.pooling,
        embedding_dim=params.embedding_dim,
        event_dim=network.event_dim,
        hidden_dim=network.hidden_dim,
        n_layers=network.n_layers,
        n_heads=network.n_heads if isinstance(network, AttentionNetwork) else 1,
        dropout=network.dropout,
        text_dim=corpus.text_table.vectors.shape[1],
    )
    model = SessionEncoder(shape, corpus.fields, seed)
    return Encoder(model, shape, corpus.fields, corpus.text_table, params.text_model, params.max_events)


def trained(corpus: Corpus, params: Pretrain, seed: int, checkpoints: Path) -> tuple[Encoder, Curves] | None:
    """Returns an encoder that learnt from the training part, resumed from ``checkpoints``, and its curves.

    None in a process that only helps another one to train.
    """
    wide = untrained(corpus, params.model_copy(update={"embedding_dim": params.trained_dim}), seed)
    training = Training(wide.model, wide.shape, wide.fields, params, seed)
    near = corpus.near if "neighbours" in training.weights else None
    watched = corpus.rows("valid")
    watched = watched[:: -(-len(watched) // N_WATCHED) or 1]
    train_part, valid_part = (
        loader(corpus.arrays, rows, near, params.batch_size, seed) for rows in (corpus.rows("train"), watched)
    )
    curves = fit(training, train_part, valid_part if len(watched) else None, checkpoints)
    if curves is None:
        return None
    rows = np.random.default_rng(seed).permutation(corpus.rows("train"))[:N_WEIGHED]
    embeddings = wide.embed_arrays(corpus.arrays.part(np.sort(rows)))
    matrix, centre = narrowed(embeddings, training.readers(), params.embedding_dim, seed)
    with one_thread():
        wide.model.pool.narrow(torch.from_numpy(matrix), torch.from_numpy(centre))
    return replace(wide, shape=replace(wide.shape, embedding_dim=params.embedding_dim)), curves


def write_embeddings(runtime: Runtime, inputs: SessionArrays, sessions: Path, path: Path) -> None:
    """Writes schemas.EMBEDDINGS of all ``sessions``, which ``inputs`` holds in their order, some at a time."""
    ids = pq.ParquetFile(sessions).iter_batches(SESSIONS_A_READ, columns=["session_id"])
    start = 0
    with pq.ParquetWriter(path, schemas.EMBEDDINGS, compression="zstd") as writer:
        for some in ids:
            until = start + len(some)
            part = replace(inputs, offsets=inputs.offsets[start : until + 1])
            table = embedding_table(some.column("session_id"), runtime.embed_arrays(part), runtime.version)
            writer.write_table(table.cast(schemas.EMBEDDINGS))
            start = until


def embedding_table(session_ids: pa.Array, embeddings: np.ndarray, version: str) -> pa.Table:
    """Returns schemas.EMBEDDINGS of the sessions and their ``embeddings`` (N, D)."""
    offsets = np.arange(len(embeddings) + 1, dtype=np.int32) * embeddings.shape[1]
    columns = {
        "session_id": session_ids,
        "embedding": pa.ListArray.from_arrays(offsets, pa.array(embeddings.ravel())),
        "encoder_version": pa.repeat(version, len(embeddings)),
    }
    return pa.table(columns)


def _key(workspace: Workspace, params: Pretrain, seed: int) -> str:
    """Hash of all that decides the weights, the code among it: a checkpoint is never resumed by another run."""
    digest = hashlib.sha256(f"{params.model_dump_json()} {seed} {key(workspace, params)}".encode())
    for package in (pipelines.encoder, pipelines.pretrain):
        for module in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(module.read_bytes())
    return digest.hexdigest()[:16]
