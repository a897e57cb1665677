"""The rivals of the tile ranking: the same app features, head and tuning; they differ in the web signal only."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.compute as pc
from scipy.sparse import csr_array

from pipelines.evaluate import conditional_logit, signals
from pipelines.evaluate.conditional_logit import Choices, Head, Penalty
from pipelines.evaluate.decisions import Decisions, earlier_per_tile
from pipelines.evaluate.history import recency_weights, session_keys
from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.signals import Scale
from pipelines.params import Evaluate


@dataclass(frozen=True)
class Problem:
    """The decisions with all that a model may read."""

    decisions: Decisions
    split: np.ndarray  # (M,)
    inputs: Inputs
    params: Evaluate

    @cached_property
    def web_history(self) -> csr_array:
        """Recency weights (M, N) of the web sessions that each decision may read."""
        return self._history("web")

    @cached_property
    def app_context(self) -> np.ndarray:
        """What every model but random and popularity knows, (M, A): screens, earlier clicks, hour and weekday."""
        counts = self._history("app") @ signals.page_counts(self.inputs.sessions, "app")
        clicks = np.log1p(self.earlier_clicks)
        return self.scaled(
            np.hstack([np.log1p(counts.toarray()), clicks, signals.calendar(self.decisions.at_us, n_harmonics=1)])
        )

    @cached_property
    def earlier_clicks(self) -> np.ndarray:
        clicked = np.zeros(self.decisions.position.shape)
        clicked[np.arange(len(self.decisions)), self.decisions.clicked] = 1
        return earlier_per_tile(self.decisions, clicked, self.decisions.clicked_us)

    @cached_property
    def habits(self) -> np.ndarray:
        """Features of each tile, (M, K, 2): how often this person clicked it, and was shown it, before."""
        shown = earlier_per_tile(self.decisions, self.decisions.shown.astype(np.float64), self.decisions.at_us)
        return np.stack([np.log1p(self.earlier_clicks), np.log1p(shown)], axis=2)

    @cached_property
    def has_history(self) -> np.ndarray:
        return np.asarray(self.web_history.sum(axis=1)).ravel() > 0

    def web_context(self, values: np.ndarray | csr_array, *, summed: bool) -> np.ndarray:
        """Returns the recency-weighted sum (log1p) or mean of ``values`` (N, F) over the web history, scaled."""
        if summed:
            return self.scaled(np.log1p((self.web_history @ values).toarray()))
        means = signals.weighted_mean(self.web_history, values)
        known = self.has_history & (self.split == "train")
        scale = Scale.of(means[known]) if known.any() else Scale.of(means)
        return np.where(self.has_history[:, None], scale.apply(means), 0.0)  # no history: as the average one

    def scaled(self, features: np.ndarray) -> np.ndarray:
        return Scale.of(features[self.split == "train"]).apply(features)

    def choices(self, context: np.ndarray, habits: np.ndarray) -> Choices:
        return Choices(self.decisions.position, self.decisions.clicked, habits, context)

    def _history(self, channel: str) -> csr_array:
        sessions = self.inputs.sessions
        rows = np.flatnonzero(pc.equal(sessions.column("channel"), channel).to_numpy())
        return recency_weights(
            self.decisions.moments,
            session_keys(sessions, rows),
            self.inputs.identity,
            len(sessions),
            self.params.half_life_days,
            self.params.lookback_days,
        )


@dataclass(frozen=True)
class Ranked:
    """One model's log probability of a click on each tile, (M, K), and the penalty that the validation part chose."""

    log_probabilities: np.ndarray
    l2: float | None = None


def rank(problem: Problem, references: Mapping[str, np.ndarray]) -> dict[str, Ranked]:
    """Returns every model that these data allow; ``labels`` and ``both`` need a student.

    Args:
        problem: what they may read.
        references: web signals (M, F) that no model could have, by name: judged as the models' own are.
    """
    n_decisions = len(problem.decisions)
    nothing = problem.choices(np.zeros((n_decisions, 0)), np.zeros((*problem.decisions.position.shape, 0)))
    popularity, _ = _tuned(problem, nothing, np.zeros(0))
    app = problem.choices(problem.app_context, problem.habits)
    app_only, app_head = _tuned(problem, app, np.zeros(app.context.shape[1]))
    assert app_only.l2 is not None
    ranked = {
        "random": _random(problem.decisions),
        "popularity": Ranked(popularity.log_probabilities),  # has no context, so nothing was tuned
        "app_only": app_only,
    }
    volume = problem.scaled(signals.volume(problem.web_history))
    for name, web in {**_web_signals(problem), **references}.items():
        context = np.hstack([app.context, volume, web])
        held = np.zeros(context.shape[1])
        held[: app.context.shape[1]] = app_only.l2
        ranked[name], _ = _tuned(problem, problem.choices(context, problem.habits), held, app_head)
    return ranked


def _web_signals(problem: Problem) -> Mapping[str, np.ndarray]:
    inputs = problem.inputs
    found = {
        "page_counts": problem.web_context(signals.page_counts(inputs.sessions, "web"), summed=True),
        "embedding": problem.web_context(inputs.embeddings.astype(np.float64), summed=False),
    }
    if inputs.probabilities is not None:
        found["labels"] = problem.web_context(inputs.probabilities.astype(np.float64), summed=False)
        found["both"] = np.hstack([found["embedding"], found["labels"]])
    return found


def _tuned(problem: Problem, choices: Choices, held: np.ndarray, start: Head | None = None) -> tuple[Ranked, Head]:
    """The head with the penalty of the least validation loss, from the strongest on; ``held`` (X,) are set, 0 is open.

    The web signal's penalty is tuned with the app's held, on top of the app's weights: a signal that says nothing can
    always be penalised away, so what a model gains or loses is its signal's doing.
    """
    train, valid = (choices.rows(problem.split == part) for part in ("train", "valid"))
    n_positions = int(choices.position.max()) + 1
    best: tuple[float, Head, float] | None = None
    head = _widened(start, choices.context.shape[1]) if start else None
    for l2 in sorted(problem.params.l2, reverse=True):
        penalty = Penalty(min(problem.params.l2), np.where(held > 0, held, l2))
        head = conditional_logit.fit(train, n_positions, penalty, head)
        loss = float(-head.log_probabilities(valid)[np.arange(len(valid.clicked)), valid.clicked].mean())
        if best is not None and loss >= best[0]:
            break  # weaker penalties only overfit further, and cost the most
        best = (loss, head, l2)
    assert best is not None
    return Ranked(best[1].log_probabilities(choices), best[2]), best[1]


def _widened(head: Head, n_context: int) -> Head:
    added = np.zeros((len(head.intercepts), n_context - head.context.shape[1]))
    return Head(head.intercepts, head.positions, head.shared, np.hstack([head.context, added]))


def _random(decisions: Decisions) -> Ranked:
    n_shown = decisions.shown.sum(axis=1, keepdims=True)
    return Ranked(np.where(decisions.shown, -np.log(n_shown), -np.inf))
