"""What groups and what names questions, beside the teacher: k-means on two kinds of vectors, and the student."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from pipelines.distill.examples import Examples, Intents
from pipelines.distill.stage import trained_student
from pipelines.evaluate.student_truth import commonest
from pipelines.params import Distill

N_STARTS = 4  # of each k-means, the best by its own loss is taken
VALID_SHARE = 0.2  # of the labels, for the student to choose by

Vectors = np.ndarray | csr_matrix


def word_vectors(train: Sequence[str], test: Sequence[str]) -> tuple[csr_matrix, csr_matrix]:
    """Returns TF-IDF of both parts, with the words and weights of ``train``."""
    words = TfidfVectorizer(sublinear_tf=True)
    return words.fit_transform(train), words.transform(test)


def clustered(train: Vectors, test: Vectors, n_clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the k-means cluster of every row of both parts; ``test`` made none."""
    with threadpool_limits(1):
        model = KMeans(n_clusters, n_init=N_STARTS, random_state=seed).fit(train)
        return np.asarray(model.labels_), np.asarray(model.predict(test))


def named(labelled: np.ndarray, names: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Returns the commonest of ``names`` (N,) in each row's cluster, of the clusters ``labelled`` (N,); "" without."""
    return commonest(labelled, names, int(max(labelled.max(), test.max())) + 1)[test]


def by_student(vectors: np.ndarray, names: np.ndarray, test: np.ndarray, params: Distill, seed: int) -> np.ndarray:
    """Returns the name that a student, distilled from labelled ``vectors``, finds likeliest for each of ``test``."""
    known = np.unique(names)
    intents = Intents("gold", {name: name for name in known.tolist()})
    scores = (names[:, None] == known).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(names))
    n_valid = round(VALID_SHARE * len(names))
    parts: Mapping[str, np.ndarray] = {"valid": order[:n_valid], "train": order[n_valid:]}
    examples = {part: Examples(vectors[rows].astype(np.float32), scores[rows]) for part, rows in parts.items()}
    student = trained_student(examples, intents, "sentence vectors", {}, params, seed)
    return np.asarray(known[student.probabilities(test).argmax(axis=1)])


def by_words(vectors: csr_matrix, names: np.ndarray, test: csr_matrix) -> np.ndarray:
    """Returns the name that logistic regression on TF-IDF gives each of ``test``."""
    with threadpool_limits(1):
        return np.asarray(LogisticRegression(C=10.0, max_iter=500).fit(vectors, names).predict(test))
