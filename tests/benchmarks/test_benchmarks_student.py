"""What the benchmark of the student computes by itself: latencies, and rivals cut and calibrated as the student is."""

import itertools
import time

import numpy as np
from students import distill_params

from benchmarks.student import N_WARM, cpu_name, percentiles_us
from benchmarks.student_rivals import _judged, _logits, _trees
from pipelines.distill.examples import Examples
from pipelines.evaluate.bootstrap import Resamples
from pipelines.student.graph import Affine, Layers

PARAMS = distill_params(hidden_dim=8, max_epochs=5)


def test_warm_calls_do_not_count_and_the_slowest_hundredth_shows() -> None:
    seen = itertools.count()

    def call(_: int) -> None:
        number = next(seen)
        time.sleep(0.05 if number < 2 else 0.004 if number in {N_WARM + 20, N_WARM + 70} else 0)

    found = percentiles_us(call, itertools.cycle([1]), 100)
    assert found["p50_us"] < 1_500
    assert 1_500 < found["p99_us"] < 45_000


def test_layers_by_hand() -> None:
    layers = Layers(
        (Affine(np.array([[1.0, -1.0]]), np.array([0.0, 1.0])),), Affine(np.array([[2.0], [3.0]]), np.ones(1))
    )
    # x = 2: relu(2), relu(-1) -> 2 * 2 + 1; x = -1: relu(-1), relu(2) -> 3 * 2 + 1
    assert _logits(layers, np.array([[2.0], [-1.0]])).tolist() == [[5.0], [7.0]]


def test_trees_find_a_rule_and_are_judged_on_the_test_part() -> None:
    generator = np.random.default_rng(0)

    def part(n_sessions: int) -> Examples:
        counts = generator.poisson(1.0, (n_sessions, 3)).astype(np.float32)
        return Examples(counts, np.stack([counts[:, 0] > 1, counts[:, 1] < 1], axis=1).astype(np.float32))

    parts = {"train": part(600), "valid": part(200), "test": part(200)}
    logits = _trees(parts, 0.5, seed=7)
    row = _judged(logits, parts, PARAMS, Resamples(np.arange(200), 50, seed=7))
    assert row["fidelity_micro_f1"] > 0.95
    assert row["fidelity_micro_f1_low"] <= row["fidelity_micro_f1"] <= row["fidelity_micro_f1_high"]
    unsure = (np.zeros_like(logits[0]), np.zeros_like(logits[1]))
    assert _judged(unsure, parts, PARAMS, Resamples(np.arange(200), 50, seed=7))["fidelity_micro_f1"] < 0.8


def test_the_processor_has_a_name() -> None:
    assert cpu_name().strip()
