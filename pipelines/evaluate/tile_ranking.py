"""Task: which tile of the home screen is clicked, ranked with and without the web signal."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, estimate, gain, ratio, reduction, rounded
from pipelines.evaluate.decisions import find_decisions, split_of
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.judgement import Judgement, NotAvailableError
from pipelines.evaluate.tile_models import Problem, Ranked, rank
from pipelines.evaluate.tile_truth import need_signals, oracle
from pipelines.params import Evaluate

TASK: Final = "tile_ranking"
PAIRS: Final = (
    ("page_counts", "app_only"),
    ("embedding", "app_only"),
    ("labels", "app_only"),
    ("both", "app_only"),
    ("embedding", "page_counts"),
    ("labels", "page_counts"),
    ("both", "page_counts"),
    ("both", "embedding"),
    ("labels", "embedding"),
    ("linked_needs", "app_only"),
    ("current_needs", "app_only"),
    ("embedding", "linked_needs"),
)
"""(model, baseline): the lifts that are reported."""

Values = dict[str, dict[str, np.ndarray]]  # model: metric: (B + 1,)
METRICS: Final = {"macro_recall_at_1": gain, "log_loss": reduction}  # how an improvement of each is written


def judge(inputs: Inputs, params: Evaluate, seed: int) -> Judgement:
    """Returns every model's macro Recall@1 and log loss on the test part, and on two of its subsets.

    ``tile_ranking_new_people`` has only people without a decision in training; ``tile_ranking_web_history`` only
    decisions with a web session to read.

    Raises:
        NotAvailableError: there are no decisions in one of the parts, or no link from web visitors to customers.
    """
    decisions = find_decisions(inputs.events, params.tile_ranking)
    problem = Problem(decisions, split_of(decisions, inputs.sessions), inputs, params)
    check(problem)
    ranked = rank(problem, need_signals(problem))
    truth = oracle(problem)
    if truth is not None:
        ranked["oracle"] = truth
    people, test = decisions.people, problem.split == "test"
    in_training = set(people[problem.split == "train"])
    known = np.array([person in in_training for person in people])
    subsets = {TASK: test, f"{TASK}_new_people": test & ~known, f"{TASK}_web_history": test & problem.has_history}
    metrics: dict[str, Any] = {}
    lifts: dict[str, Any] = {}
    for name, rows in subsets.items():
        if rows.any():
            values = _values(problem, ranked, rows, seed)
            metrics[name] = _estimates(values)
            lifts[name] = _lifts(values)
        else:
            metrics[name] = str(NotAvailableError("test decisions of that kind"))
    metrics[TASK] |= {name: str(_NEEDS_LABELS) for name in ("labels", "both") if name not in ranked}
    metrics["counts"] = {name: _counts(problem, rows) for name, rows in subsets.items()}
    metrics["counts"][TASK] |= {f"n_{part}": int((problem.split == part).sum()) for part in ("train", "valid")}
    metrics["tuned_l2"] = {TASK: {name: model.l2 for name, model in ranked.items() if model.l2 is not None}}
    return Judgement(metrics, lifts, {"tile_recall": _recall_by_tile(problem, ranked, test)})


_NEEDS_LABELS: Final = NotAvailableError("a student, so labelled sessions")


def check(problem: Problem) -> None:
    """Raises NotAvailableError where ``problem`` lacks what every model needs."""
    if not len(problem.decisions):
        raise NotAvailableError(
            "app home-screen impressions and their clicks (evaluate.tile_ranking says how they are written)"
        )
    for part in ("train", "valid", "test"):
        if not (problem.split == part).any():
            raise NotAvailableError(f"tile decisions in the {part} part")
    if not problem.has_history.any():
        raise NotAvailableError("logins that link web visitors to app customers")


def _values(problem: Problem, ranked: Mapping[str, Ranked], rows: np.ndarray, seed: int) -> Values:
    """Each model's metrics on ``rows``, all from the same resamples of people."""
    resamples = Resamples(problem.decisions.people[rows], problem.params.n_bootstrap, seed)
    clicked = problem.decisions.clicked[rows]
    return {name: metric_values(resamples, model.log_probabilities[rows], clicked) for name, model in ranked.items()}


def metric_values(resamples: Resamples, log_probabilities: np.ndarray, clicked: np.ndarray) -> dict[str, np.ndarray]:
    """Returns macro Recall@1 and log loss, (B + 1,) each, of M decisions.

    Macro Recall@1 is the mean over the tiles that were clicked at all. A tie at the top counts by its share.
    """
    n_tiles = log_probabilities.shape[1]
    by_tile = np.eye(n_tiles)[clicked]
    losses = -log_probabilities[np.arange(len(clicked)), clicked]
    hits = hit_shares(log_probabilities, clicked)
    statistics = [by_tile * hits[:, None], by_tile, losses[:, None], np.ones((len(clicked), 1))]
    totals = resamples.totals(np.hstack(statistics))
    recalls = ratio(totals[:, :n_tiles], totals[:, n_tiles : 2 * n_tiles])
    seen = np.isfinite(recalls)
    macro = np.where(seen, recalls, 0).sum(axis=1) / seen.sum(axis=1)
    return {"macro_recall_at_1": macro, "log_loss": totals[:, -2] / totals[:, -1]}


def hit_shares(log_probabilities: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """Returns (M,): 1 where the clicked tile is ranked first, 1/n where n tiles share the first place, else 0."""
    is_top = log_probabilities == log_probabilities.max(axis=1, keepdims=True)
    return np.asarray(is_top[np.arange(len(clicked)), clicked] / is_top.sum(axis=1))


def _estimates(values: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    return {name: {metric: estimate(found[metric]) for metric in METRICS} for name, found in values.items()}


def _lifts(values: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
    return {
        f"{model}_over_{baseline}": {
            metric: estimate(improvement(values[model][metric], values[baseline][metric]))
            for metric, improvement in METRICS.items()
        }
        for model, baseline in PAIRS
        if model in values and baseline in values
    }


def _counts(problem: Problem, rows: np.ndarray) -> dict[str, int]:
    return {"n_test": int(rows.sum()), "n_test_people": len(np.unique(problem.decisions.people[rows]))}


def _recall_by_tile(problem: Problem, ranked: Mapping[str, Ranked], test: np.ndarray) -> list[dict[str, Any]]:
    clicked = problem.decisions.clicked[test]
    hits = {name: hit_shares(model.log_probabilities[test], clicked) for name, model in ranked.items()}
    rows = []
    for place in np.unique(clicked):
        here = clicked == place
        tile = {"tile": problem.decisions.tiles[place], "n": int(here.sum())}
        rows += [tile | {"model": name, "recall_at_1": rounded(hit[here].mean())} for name, hit in hits.items()]
    return rows
