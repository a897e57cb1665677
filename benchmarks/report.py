"""Scores of a frozen representation with intervals, and the table that a benchmark prints and writes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

Row = dict[str, float]
Section = tuple[str, dict[str, tuple[str, str]]]
"""A title, and by metric its label and the format of its number."""

N_BOOTSTRAP: Final = 1000


def probe_scores(features: np.ndarray, targets: np.ndarray, n_train: int) -> Row:
    """Returns the test scores of logistic regression on ``features`` (N, D), whose first ``n_train`` rows train it."""
    return scores(*probed(features, targets, n_train), targets[n_train:])


def probed(features: np.ndarray, targets: np.ndarray, n_train: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities (N - n_train, C) of that regression for the rows that test it, and its classes (C,)."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    with threadpool_limits(1):  # matrices this small: a second thread only waits
        probe.fit(features[:n_train], targets[:n_train])
        return np.asarray(probe.predict_proba(features[n_train:])), np.asarray(probe[-1].classes_)


def difference(
    ours: Sequence[tuple[np.ndarray, np.ndarray]], theirs: tuple[np.ndarray, np.ndarray], targets: np.ndarray
) -> Row:
    """Returns log loss and R@1 of ``ours``, the mean over seeds, less ``theirs``, with paired bootstrap intervals.

    Args:
        ours: probabilities (N, C) and classes (C,) of each seed.
        theirs: those of the rival.
        targets: (N,) classes.
    """
    own = [_by_visit(*one, targets) for one in ours]
    rival = _by_visit(*theirs, targets)
    draw = np.random.default_rng(0)
    weights = draw.multinomial(len(targets), np.full(len(targets), 1 / len(targets)), size=N_BOOTSTRAP) / len(targets)
    row: Row = {}
    for place, name in enumerate(("r_at_1", "log_loss")):
        gaps = np.mean([one[place] for one in own], axis=0) - rival[place]
        low, high = np.quantile(weights @ gaps, [0.025, 0.975])
        row |= {name: float(gaps.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def _by_visit(probabilities: np.ndarray, classes: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each visit's target is ranked first, and its loss: (N,) each."""
    places = np.searchsorted(classes, targets)
    hits = (probabilities.argmax(axis=1) == places).astype(float)
    return hits, -np.log(np.maximum(probabilities[np.arange(len(places)), places], 1e-15))


def scores(probabilities: np.ndarray, classes: np.ndarray, targets: np.ndarray) -> Row:
    """Returns R@1, macro R@1 and log loss, each with the bounds of its 95 % bootstrap interval over test visits.

    Args:
        probabilities: (N, C), a column a class.
        classes: (C,), ascending.
        targets: (N,) classes, all among ``classes``.
    """
    places = np.searchsorted(classes, targets)
    hits, losses = _by_visit(probabilities, classes, targets)
    draw = np.random.default_rng(0)
    weights = draw.multinomial(len(places), np.full(len(places), 1 / len(places)), size=N_BOOTSTRAP)
    members = np.eye(len(classes))[places]  # (N, C)
    resampled = {
        "r_at_1": weights @ hits / len(places),
        "macro_r_at_1": np.nanmean(_recalls(weights @ (members * hits[:, None]), weights @ members), axis=1),
        "log_loss": weights @ losses / len(places),
    }
    counts = members.sum(axis=0)
    points = {
        "r_at_1": hits.mean(),
        "macro_r_at_1": np.nanmean(_recalls((members * hits[:, None]).sum(axis=0), counts)),
        "log_loss": losses.mean(),
    }
    row: Row = {}
    for name, point in points.items():
        low, high = np.quantile(resampled[name], [0.025, 0.975])
        row |= {name: float(point), f"{name}_low": float(low), f"{name}_high": float(high)}
    return row


def write_report(name: str, rows: dict[str, Row], repository: Path) -> None:
    """Prints ``rows`` as a table and writes them to reports/bench/<name>.json."""
    path = _write(name, rows, repository)
    print(f"\n{'':24}{'R@1 [95 %]':>25}{'macro R@1 [95 %]':>25}{'log loss [95 %]':>25}{'seconds':>9}")
    for row_name, row in rows.items():
        cells = "".join(f"{_cell(row, metric):>25}" for metric in ("r_at_1", "macro_r_at_1", "log_loss"))
        seconds = f"{row['train_seconds']:9.0f}" if "train_seconds" in row else ""
        print(f"{row_name:24}{cells}{seconds}")
    print(f"\nwritten to {path.relative_to(repository)}")


def write_columns(
    name: str, columns: Mapping[str, Mapping[str, float | None]], sections: Sequence[Section], repository: Path
) -> None:
    """Prints ``columns`` side by side, a line a metric, and writes them to reports/bench/<name>.json.

    A metric whose column also holds ``<metric>_low`` and ``<metric>_high`` is shown with them; one that is None, not
    known, as a dash. A section leaves out the columns that lack its metrics.
    """
    path = _write(name, columns, repository)
    for title, metrics in sections:
        concerned = {column: values for column, values in columns.items() if metrics.keys() <= values.keys()}
        print(f"\n{title}\n{'':38}" + "".join(f"{column:>25}" for column in concerned))
        for metric, (label, form) in metrics.items():
            print(f"{label:38}" + "".join(f"{_shown(values, metric, form):>25}" for values in concerned.values()))
    print(f"\nwritten to {path.relative_to(repository)}")


def _write(name: str, rows: Mapping[str, Mapping[str, float | None]], repository: Path) -> Path:
    path = repository / "reports" / "bench" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n")
    return path


def _shown(column: Mapping[str, float | None], metric: str, form: str) -> str:
    value, low, high = (column.get(f"{metric}{bound}") for bound in ("", "_low", "_high"))
    if value is None:
        return "-"
    return f"{value:{form}}" if low is None else f"{value:{form}} [{low:{form}}, {high:{form}}]"


def _cell(row: Row, metric: str) -> str:
    return f"{row[metric]:.4f} [{row[f'{metric}_low']:.4f}, {row[f'{metric}_high']:.4f}]"


def _recalls(hits: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Recall of each class; NaN for one that a resample lacks."""
    return np.divide(hits, counts, out=np.full(hits.shape, np.nan), where=counts > 0)
