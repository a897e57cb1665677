"""The encoder beside its peers on real traffic: three seeds, both architectures, models trained on the task.

Data and protocol: benchmarks/protocol.py. Every frozen representation is read by the same logistic regression. Seconds
of training are those of the training alone, on this machine, whatever else it did; `seconds_to_ptls` is the shortest of
BUDGETS, each a run of its own from scratch, whose probe is at least as good as the peer's in R@1 and in log loss. What
was measured is kept in .work/bench-encoder by the code and the values that it came from, so that a second run measures
what changed.
"""

import hashlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

import pipelines.encoder
import pipelines.pretrain
from benchmarks import protocol, rivals, supervised
from benchmarks.console import leave_with
from benchmarks.fresh_encoder import fresh_encoder
from benchmarks.protocol import N_TRAIN, REPOSITORY
from benchmarks.report import Row, difference, probed, scores, write_report
from pipelines import params as params_file
from pipelines.encoder import Runtime
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.pretrain.corpus import Corpus, tokenised
from pipelines.pretrain.stage import untrained

WORK: Final = REPOSITORY / ".work" / "bench-encoder"
PEER_PYTHON: Final = REPOSITORY / ".work" / "ptls" / "bin" / "python"
N_SEEDS: Final = 3
BUDGETS: Final = (2_000, 4_000, 8_000, 16_000, 40_000)
"""Sessions seen, each once."""
WITHOUT_OURS: Final = ("ptls", "page_counts", "lightgbm")
"""Models that nothing of pretrain is part of."""
MADE_BY: Final = {
    "ptls": ("coles_peer",),
    "page_counts": ("rivals",),
    "lightgbm": ("rivals",),
    "gru": ("supervised", "encoder"),
    "own": ("supervised", "encoder"),
}
"""The modules here that a kept measurement depends on, beside this one where none are named."""
SUPERVISED: Final = ("counts_last_lightgbm", "supervised_gru", "supervised_same_architecture")


class Found(NamedTuple):
    """What was measured of one model: its answers on the test visits, and figures of its speed."""

    probabilities: np.ndarray  # (N, C)
    classes: np.ndarray  # (C,)
    speed: Row


def main() -> int:
    """Runs the benchmark; returns 0, or 1 when data or the peer's environment are missing."""
    traffic, probe = protocol.prepared("bench-encoder")
    if not PEER_PYTHON.exists():
        print("bench-encoder: the peer's environment is missing: `make bench-encoder` makes it")
        return 1
    bench = Bench(probe, protocol.written(traffic, probe))
    found = {name: measure() for name, measure in bench.single().items()}
    seeds = [bench.frozen(bench.params, bench.params.seed + place) for place in range(N_SEEDS)]
    rows = {name: scores(*one[:2], bench.tested) | one.speed for name, one in found.items()}
    own = over_seeds([scores(*one[:2], bench.tested) | one.speed for one in seeds])
    own["seconds_to_ptls"] = bench.seconds_to(rows["ptls_coles"])
    rows = {"embedding": own, f"embedding_{bench.params.pretrain.architecture}": own} | rows
    best = min(SUPERVISED, key=lambda name: rows[name]["log_loss"])
    paired = difference([one[:2] for one in seeds], found[best][:2], bench.tested)
    rows["embedding"] = own | {f"{name}_less_best_supervised": value for name, value in paired.items()}
    write_report("encoder", rows, REPOSITORY)
    print_findings(rows, best, paired)
    return 0


class Bench:
    """The protocol's sessions, and how each model is measured on them."""

    def __init__(self, probe: Workspace, targets: np.ndarray) -> None:
        self.probe, self.targets = probe, targets
        self.params = params_file.load(probe.params)
        self.tested = targets[N_TRAIN:]

    def single(self) -> dict[str, Callable[[], Found]]:
        """Returns how each row but the defaults is measured."""
        other = "transformer" if self.params.pretrain.architecture == "gru" else "gru"
        changed = self.params.pretrain.model_copy(update={"architecture": other})
        return {
            f"embedding_{other}": lambda: self.frozen(self.params.model_copy(update={"pretrain": changed})),
            "page_counts": lambda: self.kept("page_counts", {}, self._page_counts),
            "counts_last_lightgbm": lambda: self.kept("lightgbm", {}, self._lightgbm),
            "random_encoder": lambda: self.kept("random", self._values(self.params), self._random),
            "supervised_gru": lambda: self.kept("gru", self._values(self.params), lambda: self._supervised(own=False)),
            "supervised_same_architecture": lambda: self.kept(
                "own", self._values(self.params), lambda: self._supervised(own=True)
            ),
            "ptls_coles": lambda: self.kept("ptls", {}, self._peer),
        }

    def kept(self, name: str, values: dict[str, Any], measure: Callable[[], Found]) -> Found:
        """Returns what ``measure`` found, now or before with the same code, data and ``values``."""
        digest = hashlib.sha256(json.dumps([name, values], sort_keys=True).encode())
        files = [REPOSITORY / "benchmarks" / f"{module}.py" for module in MADE_BY.get(name, ("encoder",))]
        if name not in WITHOUT_OURS:
            folders = [Path(package.__path__[0]) for package in (pipelines.encoder, pipelines.pretrain)]
            files += [module for folder in folders for module in sorted(folder.rglob("*.py"))]
        for file in (*files, self.probe.sessions):
            digest.update(file.read_bytes())
        path = WORK / f"{name}-{digest.hexdigest()[:12]}.npz"
        if not path.exists():
            print(f"bench-encoder: measuring {name} {values.get('seed', '')}", flush=True)
            found = measure()
            WORK.mkdir(parents=True, exist_ok=True)
            speed = json.dumps(found.speed)
            np.savez(path, probabilities=found.probabilities, classes=found.classes, speed=np.array(speed))
        stored = np.load(path)
        return Found(stored["probabilities"], stored["classes"], json.loads(str(stored["speed"])))

    def frozen(self, params: Params, seed: int | None = None) -> Found:
        """Returns what the frozen embedding of an encoder trained by ``params`` finds."""
        seed = params.seed if seed is None else seed
        return self.kept("frozen", self._values(params) | {"seed": seed}, lambda: self._frozen(params, seed, N_TRAIN))

    def seconds_to(self, peer: Row) -> float:
        """Returns the seconds of training after which the defaults reach the peer's R@1 and log loss."""
        once = self.params.pretrain.model_copy(update={"max_epochs": 1})
        params = self.params.model_copy(update={"pretrain": once})
        for budget in BUDGETS:
            found = self.kept(
                "budget",
                self._values(params) | {"budget": budget},
                lambda budget=budget: self._frozen(params, params.seed, budget),  # type: ignore[misc]
            )
            row = scores(found.probabilities, found.classes, self.tested)
            if row["r_at_1"] >= peer["r_at_1"] and row["log_loss"] <= peer["log_loss"]:
                return found.speed["train_seconds"]
        return float("inf")

    def _frozen(self, params: Params, seed: int, n_seen: int) -> Found:
        corpus = seen_first(tokenised(self.probe, params.pretrain), n_seen)
        start = time.perf_counter()
        encoder = fresh_encoder(corpus, params.pretrain, seed, WORK / "checkpoints")
        train_seconds = time.perf_counter() - start
        start = time.perf_counter()
        vectors = encoder.embed_arrays(corpus.arrays)
        speed = {
            "train_seconds": train_seconds,
            "train_sessions_per_second": n_seen * params.pretrain.max_epochs / train_seconds,
            "embed_sessions_per_second": len(vectors) / (time.perf_counter() - start),
        }
        with tempfile.TemporaryDirectory() as folder:
            encoder.save(Path(folder) / "encoder")
            runtime = Runtime.load(Path(folder) / "encoder")
        start = time.perf_counter()
        runtime.embed_arrays(corpus.arrays)
        speed["score_sessions_per_second"] = len(vectors) / (time.perf_counter() - start)
        return self._probed(vectors, speed)

    def _probed(self, vectors: np.ndarray, speed: Row) -> Found:
        return Found(*probed(vectors, self.targets, N_TRAIN), speed)

    def _page_counts(self) -> Found:
        start = time.perf_counter()
        found = self._probed(rivals.page_counts(self.probe)[0], {})
        return found._replace(speed={"train_seconds": time.perf_counter() - start})

    def _lightgbm(self) -> Found:
        features = np.column_stack(rivals.page_counts(self.probe))
        return Found(*rivals.boosted(features, self.targets, N_TRAIN))

    def _random(self) -> Found:
        corpus = tokenised(self.probe, self.params.pretrain)
        encoder = untrained(corpus, self.params.pretrain, self.params.seed)
        return self._probed(encoder.embed_arrays(corpus.arrays), {})

    def _supervised(self, *, own: bool) -> Found:
        corpus, params, seed = tokenised(self.probe, self.params.pretrain), self.params.pretrain, self.params.seed
        encoder = untrained(corpus, params, seed)
        network = encoder.model if own else supervised.gru_64(encoder, seed)
        start = time.perf_counter()
        found = supervised.probabilities(network, corpus.arrays, self.targets, N_TRAIN, params, seed)
        return Found(found, np.arange(found.shape[1]), {"train_seconds": time.perf_counter() - start})

    def _peer(self) -> Found:
        codes, lengths = rivals.page_codes(self.probe)
        given, made = WORK / "peer-input.npz", WORK / "peer-output.npz"
        WORK.mkdir(parents=True, exist_ok=True)
        np.savez(given, codes=codes + 1, lengths=lengths, n_train=N_TRAIN)
        subprocess.run([PEER_PYTHON, REPOSITORY / "benchmarks" / "coles_peer.py", given, made], check=True)
        out = np.load(made)
        train_seconds, embed_seconds = float(out["train_seconds"]), float(out["embed_seconds"])
        speed = {
            "train_seconds": train_seconds,
            "train_sessions_per_second": N_TRAIN * 3 / train_seconds,
            "embed_sessions_per_second": len(lengths) / embed_seconds,
        }
        return self._probed(out["embeddings"], speed)

    def _values(self, params: Params) -> dict[str, Any]:
        return params.pretrain.model_dump(mode="json") | {"seed": params.seed}


def seen_first(corpus: Corpus, n_seen: int) -> Corpus:
    """Returns ``corpus`` with only its first ``n_seen`` sessions left in the training part."""
    split = corpus.split.copy()
    split[n_seen:] = np.where(split[n_seen:] == 0, 3, split[n_seen:])  # train to embargo
    return replace(corpus, split=split)


def over_seeds(rows: list[Row]) -> Row:
    """Returns the mean of each figure, and as ``<name>_sd`` its deviation over seeds."""
    names = [name for name in rows[0] if not name.endswith(("_low", "_high"))]
    values = {name: np.array([row[name] for row in rows]) for name in names}
    bounds = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name not in names}
    means = {name: float(found.mean()) for name, found in values.items()}
    return means | bounds | {f"{name}_sd": float(found.std(ddof=1)) for name, found in values.items()}


def print_findings(rows: dict[str, Row], best: str, paired: Row) -> None:
    """Prints what the table is for: deviations over seeds, the paired difference, and the speeds beside the peer's."""
    own, peer = rows["embedding"], rows["ptls_coles"]
    deviations = ", ".join(f"{name} {own[f'{name}_sd']:.4f}" for name in ("r_at_1", "macro_r_at_1", "log_loss"))
    print(f"embedding: deviation over {N_SEEDS} seeds: {deviations}")
    low, high = paired["log_loss_low"], paired["log_loss_high"]
    print(f"embedding less {best}, paired: log loss {paired['log_loss']:+.4f} [{low:+.4f}, {high:+.4f}]")
    ratio = peer["train_seconds"] / own["seconds_to_ptls"]
    print(
        f"to the peer's figures in {own['seconds_to_ptls']:.1f} s, 1/{ratio:.0f} of its {peer['train_seconds']:.0f} s"
    )
    faster = own["embed_sessions_per_second"] / peer["embed_sessions_per_second"]
    print(f"embeds {own['embed_sessions_per_second']:,.0f} sessions a second, {faster:.1f} times the peer")
    print(f"by the graph that score runs {own['score_sessions_per_second']:,.0f} sessions a second")


if __name__ == "__main__":
    leave_with(main)
