"""What a session says, as numbers: page counts, and standardised blocks of features for the heads."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from pipelines.evaluate.history import DAY_US

MAX_PAGES: Final = 256  # the most visited of the training part; a rarer page has too few visits for a weight of its own


def page_counts(sessions: pa.Table, channel: str) -> csr_array:
    """Returns how often each of N sessions saw each of the P pages of ``channel`` most seen in training, (N, P)."""
    owner, codes, n_pages = _page_codes(sessions, channel)
    counted = codes >= 0
    places = owner[counted], codes[counted]
    counts = csr_array((np.ones(counted.sum()), places), shape=(len(sessions), max(n_pages, 1)))
    counts.sum_duplicates()
    return counts


def last_pages(sessions: pa.Table, channel: str) -> np.ndarray:
    """Returns the column in ``page_counts`` of each session's last page, (N,), -1 where it has none."""
    owner, codes, _ = _page_codes(sessions, channel)
    last = np.full(len(sessions), -1)
    last[owner] = codes  # of a session's events, the last one stays
    return last


def _page_codes(sessions: pa.Table, channel: str) -> tuple[np.ndarray, np.ndarray, int]:
    """By event with a page: its session's row, its page's column (-1: rare, or foreign to the channel); n columns."""
    events = sessions.column("events").combine_chunks()
    owner = pc.list_parent_indices(events).to_numpy()
    pages = pc.struct_field(pc.list_flatten(events), "page")
    owner, pages = owner[np.asarray(pages.is_valid())], pages.drop_null()
    of_channel = pc.equal(sessions.column("channel"), channel).to_numpy()
    in_training = of_channel & pc.equal(sessions.column("split"), "train").to_numpy()
    vocabulary = _most_seen(pages.filter(pa.array(in_training[owner])))
    codes = pc.index_in(pages, value_set=vocabulary).fill_null(-1).to_numpy()
    return owner, np.where(of_channel[owner], codes, -1), len(vocabulary)


def _most_seen(pages: pa.Array) -> pa.Array:
    counts = pages.value_counts()
    table = pa.table({"page": counts.field("values"), "n": counts.field("counts")})
    ranked = table.sort_by([("n", "descending"), ("page", "ascending")])
    return ranked.column("page").slice(0, MAX_PAGES).combine_chunks()


def weighted_mean(weights: csr_array, values: np.ndarray) -> np.ndarray:
    """Returns the mean of ``values`` (N, F) under each row of ``weights`` (M, N), (M, F); 0 where none weighs."""
    total = np.asarray(weights.sum(axis=1)).reshape(-1, 1)
    return np.asarray((weights @ values) / np.where(total > 0, total, 1))


def volume(weights: csr_array) -> np.ndarray:
    """Returns whether there is any history and how much, (M, 2): every model that reads web history gets both."""
    total = np.asarray(weights.sum(axis=1)).ravel()
    return np.stack([total > 0, np.log1p(total)], axis=1).astype(np.float64)


def calendar(at_us: np.ndarray, n_harmonics: int) -> np.ndarray:
    """Returns the time of day on ``n_harmonics`` circles, and the weekday, (M, 2 * n_harmonics + 7); times are UTC."""
    angle = (at_us % DAY_US) / DAY_US * 2 * np.pi
    circles = [wave(times * angle)[:, None] for times in range(1, n_harmonics + 1) for wave in (np.sin, np.cos)]
    weekday = (at_us // DAY_US + 3) % 7  # 1970-01-01 was a Thursday
    return np.hstack([*circles, np.eye(7)[weekday]])


@dataclass(frozen=True)
class Scale:
    """Mean and deviation of features, from training rows only."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> "Scale":
        """Returns the scale of ``features`` (M, F); a constant feature keeps its unit."""
        deviation = features.std(axis=0)
        return cls(features.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0))

    def apply(self, features: np.ndarray) -> np.ndarray:
        return np.asarray((features - self.mean) / self.deviation)
