"""Real traffic: a million visits to msnbc.com through ingest, sessionize and pretrain, then the next page predicted.

The whole pipeline as it is, with the defaults of params.yaml and one seed, beside what costs little. More seeds, other
architectures and the peers: benchmarks/encoder.py. Data and protocol: benchmarks/protocol.py.
"""

import time

import numpy as np
import pyarrow.compute as pc

from benchmarks import protocol, rivals
from benchmarks.console import leave_with
from benchmarks.protocol import N_TRAIN, REPOSITORY
from benchmarks.report import Row, probe_scores, write_report
from pipelines import params as params_file
from pipelines import schemas
from pipelines.encoder import Runtime
from pipelines.paths import Workspace
from pipelines.tables import read_table


def main() -> int:
    """Runs the benchmark in .work/msnbc; returns 0, or 1 when the data or a stage is missing."""
    traffic, probe = protocol.prepared("msnbc")
    for stage in ("ingest", "sessionize"):
        protocol.timed(stage, traffic)
    targets = protocol.write_protocol(traffic, probe)
    train_seconds = protocol.timed("pretrain", probe)
    rows = {"embedding": embedding_row(probe, targets, train_seconds), **rivals.rows(probe, targets, N_TRAIN)}
    write_report("msnbc", rows, REPOSITORY)
    return 0


def embedding_row(probe: Workspace, targets: np.ndarray, train_seconds: float) -> Row:
    """Returns the scores of the frozen embedding that ``pretrain`` wrote, and its speed."""
    embeddings = read_table(probe.embeddings, schemas.EMBEDDINGS).column("embedding")
    vectors = pc.list_flatten(embeddings).to_numpy().reshape(len(embeddings), -1)
    n_epochs = params_file.load(probe.params).pretrain.max_epochs
    speed = {
        "train_seconds": train_seconds,
        "train_sessions_per_second": N_TRAIN * n_epochs / train_seconds,
        "embed_sessions_per_second": embed_speed(probe),
    }
    return probe_scores(vectors, targets, N_TRAIN) | speed


def embed_speed(probe: Workspace) -> float:
    """Returns how many sessions of ``probe`` the encoder embeds in a second, tokens and texts included."""
    runtime = Runtime.load(probe.encoder)
    sessions, pages = read_table(probe.sessions, schemas.SESSIONS), read_table(probe.pages, schemas.PAGES)
    start = time.perf_counter()
    runtime.embed(sessions, pages)
    return len(sessions) / (time.perf_counter() - start)


if __name__ == "__main__":
    leave_with(main)
