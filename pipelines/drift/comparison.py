"""A window against the champion's reference: what of each signal moved, and whether further than its threshold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from pipelines.drift.calibration import Thresholds
from pipelines.drift.repeats import Repeats
from pipelines.drift.signals import SIGNALS
from pipelines.drift.tallies import n_effective, scores, tally

MOST_NAMED: Final = 3
DIGITS: Final = 4


@dataclass(frozen=True)
class Moved:
    """A category's share of the reference's sessions and of the window's, and how far they lie apart (tallies)."""

    category: str
    before: float
    now: float
    apart: float

    @property
    def shares(self) -> str:
        return f"{_percent(self.before)} -> {_percent(self.now)}"

    @property
    def text(self) -> str:
        return f"{self.category} {self.shares}"


@dataclass(frozen=True)
class Finding:
    """One signal's largest distance; it drifted when beyond its limit."""

    signal: str
    label: str
    score: float
    limit: float
    moved: tuple[Moved, ...]  # the categories that moved most

    @property
    def reach(self) -> float:
        """How many times its limit the signal is."""
        return self.score / self.limit

    @property
    def drifted(self) -> bool:
        return self.reach > 1

    @property
    def text(self) -> str:
        found = "; ".join(moved.text for moved in self.moved)
        return f"{self.label} ({found or 'pooled'}; {self.reach:.1f} times the limit)"


def compare(
    window: pa.Table, reference: pa.Table, thresholds: Thresholds, names: Mapping[str, str] | None = None
) -> list[Finding]:
    """Returns what was found of every signal that the champion has a threshold of, in the order of SIGNALS.

    Args:
        window: observed.OBSERVED rows, not none.
        reference: the champion's, not none.
        thresholds: the champion's.
        names: of categories, where people know them by another name (the intents).
    """
    tallies = tally([window, reference], [signal for signal in SIGNALS if signal.name in thresholds.limits])
    current = np.arange(tallies.held.shape[0])[None] < len(window)
    shares = [np.asarray(tallies.held[part].mean(axis=0)).ravel() for part in (current[0], ~current[0])]
    first = int(Repeats.of(window).days.min())
    weights = np.concatenate([Repeats.of(part).weights(first, thresholds.window_days) for part in (window, reference)])
    sides = current * weights, ~current * weights
    apart, largest = scores(tallies, *sides, tallies.swing(thresholds.swings))
    limits = thresholds.limits_at(n_effective(*sides)[0])
    found = []
    for place, (signal, start) in enumerate(zip(tallies.signals, tallies.starts, strict=True)):
        known = tallies.names[place]
        mine = slice(start, start + len(known))
        now, before = (held[mine] for held in shares)
        parts = signal.parts(known)
        most = [_most(known, before, now, apart[0][mine] * part, names or {}) for part in parts]
        moved = tuple(one for found_in in most for one in found_in[: -(-MOST_NAMED // len(parts))])
        limit = limits[signal.name]
        found.append(Finding(signal.name, signal.label, round(float(largest[0, place]), DIGITS), limit, moved))
    return found


def sentence(findings: Sequence[Finding], days: Sequence[str]) -> str:
    """Returns what drifted and why, in one sentence with the pages and intents that moved most.

    Args:
        findings: of one window.
        days: of the last days those that drifted, if they are enough for an alarm.
    """
    drifted = _by_reach(finding for finding in findings if finding.drifted)
    if not drifted:
        return "No drift"
    named = ", ".join(finding.text for finding in drifted[:MOST_NAMED])
    rest = f", and {len(drifted) - MOST_NAMED} more" if len(drifted) > MOST_NAMED else ""
    lead = f"ALARM, drift on {', '.join(days)}" if days else "Drift, no alarm yet"
    said = {finding.signal for finding in drifted[:MOST_NAMED]}
    beside = [finding for finding in findings if finding.signal in ("pages", "intents") and finding.signal not in said]
    most = "".join(
        f"; {finding.label} that moved most: {'; '.join(moved.text for moved in finding.moved)}"
        for finding in beside
        if finding.moved
    )
    return f"{lead}: {named}{rest}{most}"


def _by_reach(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: -finding.reach)


def _most(
    known: Sequence[str], before: np.ndarray, now: np.ndarray, apart: np.ndarray, names: Mapping[str, str]
) -> tuple[Moved, ...]:
    # apart is zero where a signal leaves a category out
    order = [
        place
        for place in np.argsort(-np.abs(apart), kind="stable")[:MOST_NAMED]
        if apart[place] and before[place] != now[place]
    ]
    return tuple(
        Moved(
            names.get(known[place], known[place]), *(round(float(part[place]), DIGITS) for part in (before, now, apart))
        )
        for place in order
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share == 0 or share >= 0.001 else f"{share:.2%}"
