"""What the embedding is measured beside: page counts, counts and last page by LightGBM, a random encoder."""

import time

import lightgbm
import numpy as np
import pyarrow.compute as pc

from benchmarks.report import Row, probe_scores, scores
from pipelines import params as params_file
from pipelines import schemas
from pipelines.paths import Workspace
from pipelines.pretrain.corpus import tokenised
from pipelines.pretrain.stage import untrained
from pipelines.tables import read_table


def rows(probe: Workspace, targets: np.ndarray, n_train: int) -> dict[str, Row]:
    """Returns the row of each rival on the sessions of ``probe``, whose first ``n_train`` train."""
    counts, last = page_counts(probe)
    return {
        "page_counts": timed_probe(counts, targets, n_train),
        "counts_last_lightgbm": lightgbm_row(np.column_stack([counts, last]), targets, n_train),
        "random_encoder": random_encoder_row(probe, targets, n_train),
    }


def page_counts(probe: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Returns how often each session shows each page, (N, P), and the number of its last page, (N,)."""
    numbers, lengths = page_codes(probe)
    counts = np.zeros((len(lengths), int(numbers.max()) + 1))
    np.add.at(counts, (np.repeat(np.arange(len(lengths)), lengths), numbers), 1)
    return counts, numbers[np.cumsum(lengths) - 1]


def page_codes(probe: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of each event's page, (E,), and how many events each session has, (N,)."""
    events = read_table(probe.sessions, schemas.SESSIONS, ["events"]).column("events")
    pages = pc.struct_field(pc.list_flatten(events).combine_chunks(), "page").dictionary_encode()
    return pages.indices.to_numpy(), pc.list_value_length(events).to_numpy()


def timed_probe(features: np.ndarray, targets: np.ndarray, n_train: int) -> Row:
    """Returns the row of logistic regression on ``features``."""
    start = time.perf_counter()
    row = probe_scores(features, targets, n_train)
    return row | {"train_seconds": time.perf_counter() - start}


def lightgbm_row(features: np.ndarray, targets: np.ndarray, n_train: int) -> Row:
    """Returns the row of ``boosted``."""
    probabilities, classes, speed = boosted(features, targets, n_train)
    return scores(probabilities, classes, targets[n_train:]) | speed


def boosted(features: np.ndarray, targets: np.ndarray, n_train: int) -> tuple[np.ndarray, np.ndarray, Row]:
    """Returns what LightGBM, whose last column of ``features`` is a category, says of the sessions that test it.

    Probabilities (N, C), classes (C,), and the seconds of training.
    """
    model = lightgbm.LGBMClassifier(n_estimators=100, learning_rate=0.05, num_leaves=31, verbose=-1, random_state=7)
    start = time.perf_counter()
    model.fit(features[:n_train], targets[:n_train], categorical_feature=[features.shape[1] - 1])
    seconds = time.perf_counter() - start
    return np.asarray(model.booster_.predict(features[n_train:])), model.classes_, {"train_seconds": seconds}


def random_encoder_row(probe: Workspace, targets: np.ndarray, n_train: int) -> Row:
    """Returns the row of the very encoder that ``pretrain`` trains, before its first step."""
    params = params_file.load(probe.params)
    corpus = tokenised(probe, params.pretrain)
    start = time.perf_counter()
    vectors = untrained(corpus, params.pretrain, params.seed).embed_arrays(corpus.arrays)
    speed = {"embed_sessions_per_second": len(vectors) / (time.perf_counter() - start)}
    return probe_scores(vectors, targets, n_train) | speed
