"""Made-up events for the benchmark of sessionize: 16.7 a visitor, in 3.9 visits, both with heavy tails."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import schemas

EVENTS_A_VISITOR: Final = 10_000_000 / 600_000
VISITS_A_VISITOR: Final = 2_360_000 / 600_000
COLUMNS: Final = (
    "event_id", "visitor_id", "customer_id", "ts", "channel", "event_type", "page", "title", "text", "element", "query",
    "referrer", "properties",
)  # fmt: skip
"""Those that sessionize reads."""

_SPAN_SECONDS: Final = 49 * 86_400
_START_US: Final = 1_767_571_200_000_000  # 2026-01-05
_VISITORS_A_FILE: Final = 60_000
_N_PAGES: Final = 2_000
_TYPES: Final = ("page_view", "click", "search", "login", "home_impression", "tile_click")
_KNOWN: Final = 0.4  # share of the visitors that log in at all
_LOGGED_IN: Final = 0.4  # share of their events that are authenticated
_HAS_ELEMENT: Final = 0.25
_HAS_QUERY: Final = 0.03
_HAS_REFERRER: Final = 0.25
_HAS_PROPERTIES: Final = 0.1


def write_events(n_events: int, folder: Path) -> None:
    """Writes about ``n_events`` events under ``folder``, which is absent; the same number gives the same files.

    A file holds the events of 60,000 visitors in order of time, so that every day lies in every file.
    """
    n_visitors = round(n_events / EVENTS_A_VISITOR)
    making = folder.with_suffix(".making")
    making.mkdir(parents=True, exist_ok=True)
    for number, first in enumerate(range(0, n_visitors, _VISITORS_A_FILE)):
        events = _events(np.random.default_rng([7, number]), min(_VISITORS_A_FILE, n_visitors - first))
        pq.write_table(events, making / f"events-{number:04}.parquet", compression="zstd")
    making.replace(folder)


def _events(draw: np.random.Generator, n_visitors: int) -> pa.Table:
    visits = _heavy(draw, n_visitors, VISITS_A_VISITOR)  # (V,)
    visitor_of_visit = np.repeat(np.arange(n_visitors), visits)
    lengths = _heavy(draw, len(visitor_of_visit), EVENTS_A_VISITOR / VISITS_A_VISITOR)
    starts = draw.uniform(0, _SPAN_SECONDS, len(lengths))
    pauses = np.minimum(draw.exponential(45, lengths.sum()), 1_500)
    elapsed = np.cumsum(pauses)
    seconds = np.repeat(starts - elapsed[np.cumsum(lengths) - lengths], lengths) + elapsed
    order = np.argsort(seconds, kind="stable")
    visitor = np.repeat(visitor_of_visit, lengths)[order]  # (E,)
    n = len(order)
    page = np.minimum(draw.zipf(1.2, n) - 1, _N_PAGES - 1)
    known = (draw.random(n_visitors) < _KNOWN)[visitor] & (draw.random(n) < _LOGGED_IN)
    pages = [f"/area-{number % 15}/topic-{number % 120}/page-{number}" for number in range(_N_PAGES)]
    columns = {
        "event_id": _hex_ids(draw, n),
        "visitor_id": _hex_ids(draw, n_visitors).take(pa.array(visitor)),
        "customer_id": _hex_ids(draw, n_visitors).take(pa.array(visitor, mask=~known)),
        "ts": pa.array(_START_US + (seconds[order] * 1e6).astype(np.int64)).cast(schemas.TIMESTAMP),
        "channel": pa.array(schemas.CHANNELS).take(pa.array((visitor % 3 == 0).astype(np.int64))),
        "event_type": pa.array(_TYPES).take(pa.array(draw.integers(0, len(_TYPES), n))),
        "page": pa.array(pages).take(pa.array(page)),
        "title": pa.array([f"What page {number} is called" for number in range(_N_PAGES)]).take(pa.array(page)),
        "text": pa.array([f"What page {number} says, " * 4 for number in range(_N_PAGES)]).take(pa.array(page)),
        "element": _some(draw, n, _HAS_ELEMENT, [f"button-{number}" for number in range(200)]),
        "query": _some(draw, n, _HAS_QUERY, [f"how do I find thing {number}" for number in range(20_000)]),
        "referrer": _some(draw, n, _HAS_REFERRER, [f"https://site-{number}.example/" for number in range(50)]),
        "properties": _some(draw, n, _HAS_PROPERTIES, [f'{{"product": "p{number}"}}' for number in range(50)]),
    }
    return pa.table(
        [columns[name] for name in COLUMNS], schema=pa.schema([schemas.EVENTS.field(name) for name in COLUMNS])
    )


def _heavy(draw: np.random.Generator, n: int, mean: float) -> np.ndarray:
    """``n`` counts of at least one with this mean: log-normal, the largest some hundred times the median."""
    sigma = 1.2
    return 1 + draw.poisson(draw.lognormal(np.log(mean - 1) - sigma**2 / 2, sigma, n))


def _some(draw: np.random.Generator, n: int, share: float, values: list[str]) -> pa.Array:
    return pa.array(values).take(pa.array(draw.integers(0, len(values), n), mask=draw.random(n) >= share))


def _hex_ids(draw: np.random.Generator, n: int) -> pa.Array:
    """``n`` ids of 32 hexadecimal digits, out of one buffer."""
    offsets = np.arange(n + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(draw.bytes(16 * n).hex().encode()))
