"""``make bench-taxonomy``: intents that the teacher of params.yaml finds in real questions, beside what people named.

Each question of Banking77 is a session of one search. The teacher reads the training part, makes a taxonomy, and labels
the test part with it; nobody tells it the names or their number. K-means on TF-IDF and on Sentence-BERT is told the
number, 77; a third column has the number that the teacher chose. Then with the names given, and a tenth of the training
part labelled: the student on frozen sentence vectors beside clusters that are called after their commonest label. With
an LLM: ``python -m benchmarks.taxonomy --set taxonomy.model=... --dry-run`` first.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import question_models
from benchmarks.console import leave_with
from benchmarks.options import of_a_model
from benchmarks.questions import Questions, in_words, read_questions
from benchmarks.report import Row, Section, write_columns
from pipelines import params as params_file
from pipelines import telemetry
from pipelines.evaluate.bootstrap import Resamples, centred
from pipelines.evaluate.clusterings import adjusted_rand, joint_counts, normalized_information, v_measure
from pipelines.evaluate.f1 import f1_values
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.schemas import OTHER
from pipelines.taxonomy.document import Category, Document, Intent, document, slug
from pipelines.taxonomy.meaning import vectors as meaning_vectors
from pipelines.taxonomy.offline import MODEL as OFFLINE
from pipelines.taxonomy.offline import OfflineTeacher
from pipelines.taxonomy.replies import Replies
from pipelines.taxonomy.scores import strongest
from pipelines.taxonomy.teacher import Teacher, teacher

REPOSITORY: Final = Path(__file__).resolve().parent.parent
N_BOOTSTRAP: Final = 500
N_SEEDS: Final = 3  # of k-means, whose figures are means over them
LABELLED_SHARE: Final = 0.1
OURS: Final = ("taxonomy.n_read=10003", "taxonomy.max_intents=100")
"""What differs from params.yaml: all is read, as by k-means, and 77 is within reach; ``--set`` comes after."""

FOUND: Final[Section] = (
    "Intents found, 3,080 test questions against 77 gold intents",
    {
        "v_measure": ("V-measure", ".3f"),
        "nmi": ("NMI, geometric mean", ".3f"),
        "adjusted_rand": ("adjusted Rand index", ".3f"),
        "n_intents": ("intents", ".0f"),
        "coverage": ("share of questions with an intent", ".3f"),
    },
)
GIVEN: Final[Section] = (
    "Names given, a tenth of the training part labelled",
    {"macro_f1": ("macro F1", ".3f"), "accuracy": ("accuracy", ".3f"), "n_labels": ("labels used", ",.0f")},
)
Rows = dict[str, Row]


def main() -> None:
    """Prints the tables and writes reports/bench/taxonomy.json."""
    options = of_a_model(__doc__)
    telemetry.switch_off()
    folder = Path(os.environ.get("CLICKS_DATA", REPOSITORY.parent / "shared" / "data")) / "banking77"
    if not (folder / "train.csv").exists():
        print(f"bench-taxonomy: skipped: no Banking77 at {folder} (train.csv, test.csv); CLICKS_DATA names the folder")
        return
    workspace = Workspace(REPOSITORY)
    params = params_file.load(workspace.params, [*OURS, *options.overrides])
    replies, ledger = Replies(workspace.replies), workspace.cache / "bench_taxonomy_ledger.jsonl"
    asked = teacher(params.taxonomy, replies, ledger, options.dry_run)
    train, test = (read_questions(folder, part) for part in ("train", "test"))
    found = labelled(asked, train, test, params)
    if options.dry_run:
        print(asked.used() or "the offline teacher is free")
        return
    print(f"bench-taxonomy: {asked.model}: labelled{'; ' if asked.used() else ''}{asked.used()}", flush=True)
    asked.finish()
    rows = {"offline" if asked.model == OFFLINE else asked.model: grouped_row([found], test, params.seed)}
    rows |= clusterings(train, test, len({*found.tolist()} - {OTHER, "none"}), params.seed)
    write_columns("taxonomy", {**rows, **given_names(train, test, params)}, [FOUND, GIVEN], REPOSITORY)


def labelled(asked: Teacher, train: Questions, test: Questions, params: Params) -> np.ndarray:
    """Returns the strongest intent of each question of ``test``, of the taxonomy that ``asked`` makes of ``train``."""
    chosen = np.random.default_rng(params.seed).permutation(len(train))[: params.taxonomy.n_read]
    read = [train.sessions[place] for place in sorted(chosen.tolist())]
    asked.study(read)
    taxonomy = asked.propose(read, train.may_be_quoted(params.taxonomy.min_visitors))
    return np.array([strongest(given or {}) for given in asked.label(test.sessions, taxonomy)])


def clusterings(train: Questions, test: Questions, n_found: int, seed: int) -> Rows:
    """Returns the rows of k-means, with as many clusters as there are names, and as the teacher found."""
    n_names = len(np.unique(train.intents))
    words = question_models.word_vectors(train.texts, test.texts)
    meaning = meaning_vectors(train.texts), meaning_vectors(test.texts)
    rows: Rows = {}
    for name, vectors, n_clusters in (
        ("tfidf_kmeans", words, n_names),
        ("sbert_kmeans", meaning, n_names),
        ("sbert_kmeans_same_n", meaning, n_found),
    ):
        drawn = [question_models.clustered(*vectors, n_clusters, seed + number)[1] for number in range(N_SEEDS)]
        rows[name] = grouped_row(drawn, test, seed)
        print(f"bench-taxonomy: {name}: V-measure {rows[name]['v_measure']:.3f}", flush=True)
    return rows


def grouped_row(drawn: list[np.ndarray], test: Questions, seed: int) -> Row:
    """Returns how far groups of the test questions follow their gold intents, the mean over seeds."""
    resamples = Resamples(np.arange(len(test)), N_BOOTSTRAP, seed)
    counts = [joint_counts(resamples, test.intents, groups) for groups in drawn]
    measures: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
        "v_measure": v_measure,
        "nmi": normalized_information,
        "adjusted_rand": adjusted_rand,
    }
    row: Row = {}
    for name, measure in measures.items():
        row |= _with_interval(name, centred(np.mean([measure(one) for one in counts], axis=0)))
    nameless = np.isin(drawn[0].astype(str), (OTHER, "none"))
    n_intents = len(np.unique(drawn[0][~nameless]))
    return row | {"n_intents": float(n_intents), "coverage": float(1 - nameless.mean())}


def given_names(train: Questions, test: Questions, params: Params) -> Rows:
    """Returns the rows of what learns the gold names from a tenth of the labels, and of the names alone."""
    seed, n_names = params.seed, len(np.unique(train.intents))
    chosen = np.random.default_rng(seed).permutation(len(train))[: round(LABELLED_SHARE * len(train))]
    names = train.intents[chosen]
    words = question_models.word_vectors(train.texts, test.texts)
    meaning = meaning_vectors(train.texts), meaning_vectors(test.texts)
    said = {"student": question_models.by_student(meaning[0][chosen], names, meaning[1], params.distill, seed)}
    for name, vectors in (("tfidf_kmeans", words), ("sbert_kmeans", meaning)):
        clusters, of_test = question_models.clustered(*vectors, n_names, seed)
        said[f"{name}_named"] = question_models.named(clusters[chosen], names, of_test)
    said["tfidf_logistic"] = question_models.by_words(words[0][chosen], names, words[1])
    rows = {name: named_row(answers, test, seed) | {"n_labels": float(len(chosen))} for name, answers in said.items()}
    offline = OfflineTeacher(params.taxonomy)
    offline.study(train.sessions)
    taxonomy, name_of = gold_taxonomy(train)
    bare = [name_of.get(strongest(given or {}), "") for given in offline.label(test.sessions, taxonomy)]
    return {**rows, "names_alone": named_row(np.array(bare), test, seed) | {"n_labels": 0.0}}


def gold_taxonomy(train: Questions) -> tuple[Document, dict[str, str]]:
    """Returns the gold names as a taxonomy that says nothing more, and the name behind each id."""
    taken: set[str] = set()
    name_of = {slug(in_words(name), taken): name for name in np.unique(train.intents).tolist()}
    intents = [
        Intent(id=key, name=in_words(name), description=in_words(name), examples=[], keywords=[])
        for key, name in name_of.items()
    ]
    return document([Category(id="bank", name="Bank", description="A bank.", intents=intents)], "people"), name_of


def named_row(answers: np.ndarray, test: Questions, seed: int) -> Row:
    """Returns macro F1 and accuracy of ``answers`` (N,), names or "" for none."""
    resamples = Resamples(np.arange(len(test)), N_BOOTSTRAP, seed)
    known = np.unique(test.intents)
    said, actual = answers[:, None] == known, test.intents[:, None] == known
    right = resamples.totals((answers == test.intents)[:, None])[:, 0] / len(test)
    return _with_interval("macro_f1", f1_values(resamples, said, actual)["macro_f1"]) | _with_interval(
        "accuracy", right
    )


def _with_interval(name: str, values: np.ndarray) -> Row:
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


if __name__ == "__main__":
    leave_with(main)
