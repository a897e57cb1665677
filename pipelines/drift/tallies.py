"""Which session holds which category of which signal, as one sparse matrix; and how far two samples' shares lie apart.

Axis legend: N sessions, K categories of all signals, S signals, B pairs of samples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from pipelines.drift.signals import SIGNALS, Signal

ANSCOMBE: Final = 3 / 8


@dataclass(frozen=True)
class Tallies:
    """Which of N sessions holds which of K categories; a signal's categories lie side by side."""

    held: sparse.csr_matrix  # (N, K) of 0 and 1
    names: tuple[tuple[str, ...], ...]  # of each signal's categories
    signals: tuple[Signal, ...]

    @property
    def starts(self) -> np.ndarray:
        """The first column of each signal, (S,), each of which has a column at least."""
        return np.cumsum([0, *(len(names) for names in self.names[:-1])])

    def swing(self, known: Mapping[str, Mapping[str, float]]) -> np.ndarray:
        """Returns what each category's distance is measured in, (K,): ``known`` by signal and category, else one."""
        found = [[known.get(signal.name, {}).get(name, 1.0) for name in names] for signal, names in self._signals()]
        return np.concatenate(found)

    def by_category(self, values: np.ndarray) -> dict[str, dict[str, float]]:
        """Returns ``values`` (K,) by signal and category, of the signals with `own_swing`."""
        return {
            signal.name: dict(zip(names, values[start : start + len(names)].tolist(), strict=True))
            for (signal, names), start in zip(self._signals(), self.starts, strict=True)
            if signal.own_swing
        }

    def _signals(self) -> Iterator[tuple[Signal, tuple[str, ...]]]:
        return zip(self.signals, self.names, strict=True)


def tally(tables: Sequence[pa.Table], signals: Sequence[Signal] = SIGNALS) -> Tallies:
    """Returns the tallies of the rows of all ``tables`` (observed.OBSERVED), one after the other."""
    rows = pa.concat_tables(tables)
    parts, names = [], []
    for signal in signals:
        place, value = _held(signal.categories(rows))
        known = pc.unique(value).sort()
        column = pc.index_in(value, value_set=known).to_numpy()
        shape = (len(rows), max(len(known), 1))
        parts.append(sparse.csr_matrix((np.ones(len(place), np.float32), (place, column)), shape=shape))
        names.append(tuple(known.to_pylist()) or ("(none)",))
    held = sparse.hstack(parts, format="csr")
    held.sum_duplicates()
    held.data[:] = 1
    return Tallies(held, tuple(names), tuple(signals))


def scores(
    tallies: Tallies, current: np.ndarray, before: np.ndarray, swing: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far the shares of categories lie apart, (B, K), and of each signal the largest of it, (B, S).

    The distance of two shares is that of their arc sines, in standard deviations of independent sessions: nearly a
    standard normal where two samples of independent sessions come from one distribution, whatever the share.
    Source: Anscombe, "The Transformation of Poisson, Binomial and Negative-Binomial Data", Biometrika 35 (1948).

    Args:
        tallies: of all sessions.
        current: what each of them weighs in the window, (B, N); 0 is not in it.
        before: what each weighs in the reference, (B, N).
        swing: what the distance of each category is measured in, (K,), in such deviations.
    """
    n_current, n_before = (_size(part)[:, None] for part in (current, before))
    held, held_before = (_held_by(tallies, part) for part in (current, before))  # (B, K)
    effective = 2 * np.sqrt(n_effective(current, before))[:, None]
    apart = (_arc(held, n_current) - _arc(held_before, n_before)) * effective / swing
    largest = np.maximum.reduceat(np.abs(apart), tallies.starts, axis=1)
    for place, (signal, start) in enumerate(zip(tallies.signals, tallies.starts, strict=True)):
        mine = slice(start, start + len(tallies.names[place]))
        parts = signal.parts(tallies.names[place])
        if len(parts) > 1:
            of_parts = [np.abs(apart[:, mine][:, part]).max(axis=1, initial=0) for part in parts]
            largest[:, place] = np.mean(of_parts, axis=0)
        if signal.only_unseen:
            unseen = np.where(held_before[:, mine] == 0, held[:, mine], 0)
            apart[:, mine] = np.where(unseen > 0, apart[:, mine], 0)
            pooled = np.minimum(unseen.sum(axis=1, keepdims=True), n_current)
            largest[:, [place]] = np.abs((_arc(pooled, n_current) - _arc(0 * pooled, n_before)) * effective)
            largest[:, [place]] *= pooled > 0
    return apart, largest


def n_effective(current: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Returns the size of the comparisons of two samples (B, N) each: half the harmonic mean of theirs, (B,)."""
    n_current, n_before = _size(current), _size(before)
    size: np.ndarray = n_current * n_before / np.maximum(n_current + n_before, 1)
    return size


def _size(weights: np.ndarray) -> np.ndarray:
    """How many independent sessions of one weight tell as much as those of ``weights`` (B, N): (B,).

    Source: Kish, "Survey Sampling" (1965).
    """
    held = weights.astype(np.float32)
    size: np.ndarray = held.sum(axis=1, dtype=np.float64) ** 2 / np.maximum((held**2).sum(axis=1, dtype=np.float64), 1)
    return size


def _held_by(tallies: Tallies, weights: np.ndarray) -> np.ndarray:
    """How many of so many sessions hold each category, (B, K)."""
    held = weights.astype(np.float32)
    share = (held @ tallies.held) / np.maximum(held.sum(axis=1, keepdims=True), 1)
    n_held: np.ndarray = share * _size(weights)[:, None]
    return n_held


def _held(categories: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """The rows and the values of the categories that sessions hold, a pair for each."""
    chunked = categories.combine_chunks() if isinstance(categories, pa.ChunkedArray) else categories
    if pa.types.is_list(chunked.type):
        return pc.list_parent_indices(chunked).to_numpy(), chunked.flatten()
    held = chunked.is_valid()
    return np.flatnonzero(held.to_numpy(zero_copy_only=False)), chunked.filter(held)


def _arc(held: np.ndarray, n: np.ndarray) -> np.ndarray:
    arc: np.ndarray = np.arcsin(np.sqrt((held + ANSCOMBE) / (n + 2 * ANSCOMBE)))
    return arc
