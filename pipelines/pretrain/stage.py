"""pretrain: sessions -> artifacts/encoder, artifacts/embeddings.parquet, reports/curves."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

import pipelines.encoder
import pipelines.pretrain
from pipelines import schemas
from pipelines.encoder import Encoder, arrays
from pipelines.encoder.arrays import Vocabulary
from pipelines.encoder.model import SessionEncoder, Shape
from pipelines.encoder.runtime import Runtime
from pipelines.encoder.text import page_texts
from pipelines.encoder.text_table import TextTable
from pipelines.errors import TableError
from pipelines.params import Pretrain
from pipelines.paths import Workspace, staged
from pipelines.pretrain.batches import loader
from pipelines.pretrain.curves import Curves
from pipelines.pretrain.training import Training, fit
from pipelines.tables import read_table, write_table


def run(workspace: Workspace, params: Pretrain, seed: int) -> None:
    """Trains the encoder on the training part and embeds every session.

    Raises:
        TableError: sessions or pages are missing, or no session is in the training part.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    pages = read_table(workspace.pages, schemas.PAGES)
    checkpoints = workspace.cache / "checkpoints" / _key(workspace, params, seed)
    encoder = untrained(sessions, pages, params, seed)
    curves = train(encoder, sessions, pages, params, seed, checkpoints)
    with staged(workspace, "pretrain") as staging:
        encoder = encoder.save(staging.path(workspace.encoder))
        runtime = Runtime.load(staging.path(workspace.encoder))  # the very graph that `score` runs
        embeddings = embedding_table(sessions, runtime.embed(sessions, pages), runtime.version)
        write_table(embeddings, staging.path(workspace.embeddings), schemas.EMBEDDINGS)
        curves.copy_to(staging.path(workspace.curves))
    shutil.rmtree(checkpoints)
    print(f"pretrain: {encoder.version}: {len(sessions):,} sessions embedded in {encoder.embedding_dim} numbers each")


def untrained(sessions: pa.Table, pages: pa.Table, params: Pretrain, seed: int) -> Encoder:
    """Returns an encoder with seeded random weights that knows the training part's pages, and their texts."""
    training_part = sessions.filter(pc.equal(sessions.column("split"), "train"))
    if not len(training_part):
        raise TableError("sessions.parquet: no session is in the training part; move the dates of sessionize.split")
    vocabulary = Vocabulary.of(training_part, params.max_pages)
    text_table = TextTable.of(page_texts(pages), params.text_model)
    shape = Shape(
        embedding_dim=params.embedding_dim,
        hidden_dim=params.hidden_dim,
        n_layers=params.n_layers,
        n_heads=params.n_heads,
        dropout=params.dropout,
        n_pages=vocabulary.n_pages,
        n_event_types=vocabulary.n_event_types,
        text_dim=text_table.vectors.shape[1],
    )
    return Encoder(SessionEncoder(shape, seed), shape, vocabulary, text_table, params.text_model, params.max_events)


def train(
    encoder: Encoder, sessions: pa.Table, pages: pa.Table, params: Pretrain, seed: int, checkpoints: Path
) -> Curves:
    """Trains ``encoder`` in place on the training part, resuming from ``checkpoints``; returns its curves."""
    inputs = arrays.session_arrays(sessions, encoder.vocabulary, arrays.page_keys(pages), encoder.max_events)
    text_rows = torch.from_numpy(encoder.text_table.rows(page_texts(pages)))
    training = Training(encoder.model, encoder.shape, params, text_rows, seed)
    parts = [loader(inputs, _rows(sessions, part), params.batch_size, seed) for part in ("train", "valid")]
    return fit(training, parts[0], parts[1] if len(parts[1]) else None, checkpoints)


def embedding_table(sessions: pa.Table, embeddings: np.ndarray, version: str) -> pa.Table:
    """Returns schemas.EMBEDDINGS of ``sessions`` and their ``embeddings`` (N, D)."""
    offsets = np.arange(len(embeddings) + 1, dtype=np.int32) * embeddings.shape[1]
    columns = {
        "session_id": sessions.column("session_id"),
        "embedding": pa.ListArray.from_arrays(offsets, pa.array(embeddings.ravel())),
        "encoder_version": pa.repeat(version, len(embeddings)),
    }
    return pa.table(columns)


def _rows(sessions: pa.Table, part: str) -> np.ndarray:
    """Row numbers of the sessions of one part of the split."""
    return np.flatnonzero(pc.equal(sessions.column("split"), part).to_numpy())


def _key(workspace: Workspace, params: Pretrain, seed: int) -> str:
    """Hash of all that decides the weights, the code among it: a checkpoint is never resumed by another run."""
    digest = hashlib.sha256(f"{params.model_dump_json()} {seed}".encode())
    for table in (workspace.sessions, workspace.pages):
        with table.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    for package in (pipelines.encoder, pipelines.pretrain):
        for module in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(module.read_bytes())
    return digest.hexdigest()[:16]
