"""Visits as sequences of pages, whatever site they come from, and the figures by which sites are compared."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Figures = dict[str, float | None]
"""Numbers by metric; None where the site's data cannot tell."""

N_TOP: Final = 10

_PAGE_VIEWS: Final = """
SELECT visitor_id, pages FROM (
    SELECT visitor_id, session_id, list_transform(
        list_filter(events, lambda event: event.event_type = 'page_view' AND event.page IS NOT NULL),
        lambda event: event.page) AS pages
    FROM read_parquet($sessions) WHERE channel = 'web')
WHERE len(pages) > 0 ORDER BY session_id
"""


@dataclass(frozen=True)
class Visits:
    """N sessions of V page views on P pages; other events and sessions without a page view are left out."""

    visitors: np.ndarray  # (N,) of str
    lengths: np.ndarray  # int64 (N,), each at least 1
    pages: np.ndarray  # int64 (V,): numbers of ``names``, session after session
    names: list[str]  # (P,)

    @property
    def sequences(self) -> list[np.ndarray]:
        """The pages of each session."""
        return np.split(self.pages, np.cumsum(self.lengths)[:-1])

    def renamed(self, rename: Callable[[str], str]) -> "Visits":
        """Returns the same visits to ``rename(page)`` instead of each page; pages of one name become one."""
        renamed = [rename(name) for name in self.names]
        names = sorted(set(renamed))
        numbers = np.array([names.index(name) for name in renamed], dtype=np.int64)
        return replace(self, pages=numbers[self.pages], names=names)


def of_table(table: pa.Table) -> Visits:
    """Returns the visits in ``table``: a row a session, ``visitor_id`` and the list ``pages``."""
    pages = pc.list_flatten(table.column("pages").combine_chunks()).dictionary_encode()
    return Visits(
        visitors=np.asarray(table.column("visitor_id").to_numpy()),
        lengths=np.asarray(pc.list_value_length(table.column("pages")).to_numpy(), dtype=np.int64),
        pages=np.asarray(pages.indices.to_numpy(), dtype=np.int64),
        names=pages.dictionary.to_pylist(),
    )


def read_visits(sessions: Path) -> Visits:
    """Returns the web sessions of the table at ``sessions`` (schemas.SESSIONS) that hold a page view."""
    with duckdb.connect() as warehouse:
        return of_table(warehouse.sql(_PAGE_VIEWS, params={"sessions": str(sessions)}).to_arrow_table())


def figures(visits: Visits, *, knows_visitors: bool) -> Figures:
    """Returns size, lengths, repetition, return and concentration of ``visits``.

    Args:
        visits: of one site.
        knows_visitors: whether a visitor's sessions can be told to be one visitor's; else returning is not known.
    """
    _, sessions_of = np.unique(visits.visitors.astype(str), return_counts=True)
    return {
        "sessions": len(visits.lengths),
        "visitors": len(sessions_of) if knows_visitors else None,
        "pages": len(visits.names),
        "page_views": len(visits.pages),
        **_lengths(visits.lengths),
        **_repetition(visits),
        "return_rate": float((sessions_of > 1).mean()) if knows_visitors else None,
        "sessions_per_visitor": float(sessions_of.mean()) if knows_visitors else None,
        **_concentration(visits),
    }


def _lengths(lengths: np.ndarray) -> Figures:
    """Page views a session; a quantile is a length that occurs."""
    median, p90, p99 = np.quantile(lengths, [0.5, 0.9, 0.99], method="inverted_cdf")
    return {
        "length_mean": float(lengths.mean()),
        "length_median": float(median),
        "length_p90": float(p90),
        "length_p99": float(p99),
        "length_max": float(lengths.max()),
        "bounce_rate": float((lengths == 1).mean()),
    }


def _repetition(visits: Visits) -> Figures:
    """Shares of the page views after a session's first: on the page before, and on any page seen in the session."""
    session = np.repeat(np.arange(len(visits.lengths)), visits.lengths)
    n_later = len(visits.pages) - len(visits.lengths)
    repeats = (visits.pages[1:] == visits.pages[:-1]) & (session[1:] == session[:-1])
    n_seen = len(visits.pages) - len(np.unique(session * len(visits.names) + visits.pages))
    return {
        "repeat_rate": float(repeats.sum() / n_later) if n_later else None,
        "revisit_rate": float(n_seen / n_later) if n_later else None,
    }


def _concentration(visits: Visits) -> Figures:
    shares = np.sort(np.bincount(visits.pages))[::-1] / len(visits.pages)
    shares = shares[shares > 0]
    return {"page_entropy_bits": float(-(shares * np.log2(shares)).sum()), "top_10_share": float(shares[:N_TOP].sum())}
