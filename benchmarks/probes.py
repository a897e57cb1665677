"""What the demo bank's embedding knows, by frozen probes beside other ways to write a session as numbers.

Four tasks (benchmarks/probe_tasks.py), each on web sessions: at most 12,000 of the training part fit, the validation
part chooses a penalty, the test part is judged once. Every representation is read by a logistic regression but
`supervised_gru`, a GRU trained on the very task. Intervals are 95 %, over visitors. In `gap` a positive number says how
much worse the rival's log loss is than the embedding's, on the same resamples. Everything is simulated.

Unseen pages: a quarter of the website's pages, its home page aside, is held out. Two encoders are trained without any
session that shows one of these, with params.yaml as it is and with the field `text` taken away; the needs of test
sessions made of held-out pages only are then probed by a regression that was fitted without them.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks import probe_tasks, supervised
from benchmarks.console import leave_with
from benchmarks.frozen_probe import Column, flat, log_losses, probed, quality
from benchmarks.probe_tasks import Task
from benchmarks.report import Section, write_columns
from benchmarks.unseen_pages import unseen_columns
from pipelines import params as params_file
from pipelines import schemas, telemetry
from pipelines.encoder import Runtime
from pipelines.encoder.arrays import page_keys, page_places
from pipelines.encoder.fields import Flat
from pipelines.encoder.text import page_texts
from pipelines.encoder.text_table import TextTable
from pipelines.evaluate.bootstrap import Resamples
from pipelines.evaluate.inputs import read_inputs
from pipelines.evaluate.signals import page_counts
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.pretrain.corpus import tokenised
from pipelines.pretrain.stage import untrained
from pipelines.tables import read_table, write_table

REPOSITORY: Final = Path(__file__).resolve().parent.parent


def main() -> int:
    """Runs the benchmark; returns 0, or 1 when no demo bank was run here."""
    telemetry.switch_off()
    bank = Workspace(REPOSITORY)
    if not (bank.encoder.exists() and (bank.truth / "intents.parquet").exists()):
        print("bench-probes: no demo bank here: run `make demo` first")
        return 1
    params = params_file.load(bank.params)
    inputs = read_inputs(bank)
    columns: dict[str, Column] = {}
    for task in probe_tasks.tasks(inputs, params.evaluate.conversion, params.seed):
        for name, found in judged(task, Representations(bank, task, params), params).items():
            columns.setdefault(name, {}).update(found)
    columns |= unseen_columns(bank, inputs, params)
    write_columns("probes", columns, SECTIONS, REPOSITORY)
    return 0


class Representations:
    """The sessions of one task as numbers, (N, F) each: rows of ``fit``, ``valid`` and ``test`` in this order."""

    def __init__(self, bank: Workspace, task: Task, params: Params) -> None:
        self.params, self.task = params, task
        self.rows = task.of("fit", "valid", "test")
        self.sessions = task.sessions.take(self.rows)
        self.pages = read_table(bank.pages, schemas.PAGES)
        self.encoder = Runtime.load(bank.encoder)
        self.root = Workspace(REPOSITORY / ".work" / "bench-probes" / task.name)
        self.root.artifacts.mkdir(parents=True, exist_ok=True)
        column = self.sessions.column_names.index("split")
        split = np.repeat(["train", "valid", "test"], [len(task.of(part)) for part in ("fit", "valid", "test")])
        self.sessions = self.sessions.set_column(column, self.sessions.field("split"), pa.array(split))
        write_table(self.sessions, self.root.sessions, schemas.SESSIONS)
        write_table(self.pages, self.root.pages, schemas.PAGES)
        self.events = Flat.of(self.sessions)
        self.owner = np.repeat(np.arange(len(self.sessions)), self.events.lengths)

    def all(self) -> dict[str, Callable[[], np.ndarray | csr_array]]:
        return {
            "embedding": lambda: self.encoder.embed(self.sessions, self.pages),
            "page_counts": lambda: page_counts(self.sessions, "web").toarray(),
            "tf_idf": self.tf_idf,
            "mean_text": self.mean_text,
            "random_encoder": self.random,
        }

    def tf_idf(self) -> csr_array:
        """Words of paths, titles and searches, weighted by the fitting part."""
        title = dict(zip(page_keys(self.pages), page_texts(self.pages), strict=True))
        keys, queries = self.events.columns["page"].to_pylist(), self.events.columns["query"].to_pylist()
        words: list[list[str]] = [[] for _ in range(len(self.sessions))]
        for owner, key, query in zip(self.owner.tolist(), keys, queries, strict=True):
            words[owner].append(f"{(key or '').partition('|')[2]} {title.get(key or '', '')} {query or ''}")
        texts = [" ".join(parts) for parts in words]
        model = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
        model.fit(texts[: len(self.task.of("fit"))])
        return csr_array(model.transform(texts))

    def mean_text(self) -> np.ndarray:
        """The mean of the frozen text vectors of the pages."""
        texts = page_texts(self.pages)
        vectors = TextTable.of(texts, self.params.pretrain.text_model).rows(texts)
        place = page_places(self.pages)
        rows = np.array([place.get(key, 0) for key in self.events.columns["page"].to_pylist()])
        sums = np.zeros((len(self.sessions), vectors.shape[1]))
        np.add.at(sums, self.owner, vectors[rows])
        return sums / np.maximum(self.events.lengths, 1)[:, None]

    def random(self) -> np.ndarray:
        """The very encoder that pretrain trains, before its first step."""
        corpus = tokenised(self.root, self.params.pretrain)
        return untrained(corpus, self.params.pretrain, self.params.seed).embed_arrays(corpus.arrays)

    def supervised(self, n_classes: int) -> np.ndarray:
        """What a GRU says that was trained on the task: probabilities of the test sessions, (M, C)."""
        corpus, seed = tokenised(self.root, self.params.pretrain), self.params.seed
        network = supervised.gru_64(untrained(corpus, self.params.pretrain, seed), seed)
        n_fit, n_test = len(self.task.of("fit")), len(self.task.of("test"))
        targets = self.task.targets[self.rows]
        found = supervised.probabilities(network, corpus.arrays, targets, n_fit, self.params.pretrain, seed)
        assert found.shape[1] == n_classes
        return found[-n_test:]


def judged(task: Task, given: Representations, params: Params) -> dict[str, Column]:
    """Returns the column of each representation for one task."""
    targets = task.targets[given.rows]
    bounds = np.cumsum([len(task.of(part)) for part in ("fit", "valid")])
    tested, n_classes = targets[bounds[1] :], int(targets.max()) + 1
    resamples = Resamples(given.sessions.column("visitor_id").to_numpy()[bounds[1] :], params.evaluate.n_bootstrap, 0)
    said: dict[str, np.ndarray] = {}
    for name, make in given.all().items():
        start = time.perf_counter()
        said[name] = probed(make(), targets, bounds)
        print(f"bench-probes: {task.name}: {name} took {time.perf_counter() - start:.0f} s", flush=True)
    said["supervised_gru"] = given.supervised(n_classes)
    own = log_losses(resamples, said["embedding"], tested)
    columns: dict[str, Column] = {}
    for name, probabilities in said.items():
        losses = log_losses(resamples, probabilities, tested)
        figures = {"log_loss": losses} | quality(resamples, probabilities, tested)
        if name != "embedding":
            figures["gap"] = losses - own
        columns[name] = flat(task.name, figures)
    return columns


def _section(title: str, task: str, quality_name: str, label: str) -> list[Section]:
    return [
        (title, {f"{task}_log_loss": ("log loss", ".3f"), f"{task}_{quality_name}": (label, ".3f")}),
        (f"{title}: gap", {f"{task}_gap": ("log loss less the embedding's", "+.3f")}),
    ]


SECTIONS: Final[list[Section]] = [
    *_section("True need of a session", "need", "macro_f1", "macro F1"),
    *_section("Last page, by those before it", "next_page", "macro_f1", "macro F1"),
    *_section("Application within the horizon", "conversion", "average_precision", "average precision"),
    *_section("Return within seven days", "return", "average_precision", "average precision"),
    (
        "Sessions of unseen pages only: true need",
        {"unseen_log_loss": ("log loss", ".3f"), "unseen_macro_f1": ("macro F1", ".3f")},
    ),
    (
        "Sessions of unseen pages only: what the text takes off",
        {"unseen_gain": ("log loss", "+.3f"), "unseen_n_test": ("sessions", ",.0f")},
    ),
]


if __name__ == "__main__":
    leave_with(main)
