"""Which products a session's visitor applied for within the horizon, and which sessions can be judged by it."""

import json
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.evaluate.history import DAY_US, OWNERS
from pipelines.evaluate.inputs import times_us
from pipelines.params import Conversion

_REACHED: Final = f"""
WITH owners AS ({OWNERS}),
known AS (
    SELECT o.at_us, o.product, o.visitor_id, coalesce(o.customer_id, i.customer_id) AS customer_id
    FROM outcomes o LEFT JOIN identity i ON o.visitor_id = i.visitor_id
        AND epoch_us(i.valid_from) <= o.at_us AND (i.valid_to IS NULL OR o.at_us < epoch_us(i.valid_to))
),
reached AS (
    SELECT s.row, k.product FROM sessions s JOIN known k ON s.visitor_id = k.visitor_id
        AND k.at_us > s.end_us AND k.at_us <= s.end_us + $horizon_us
    UNION
    SELECT w.row, k.product FROM owners w JOIN known k ON w.customer_id = k.customer_id
        AND k.at_us > w.end_us AND k.at_us <= w.end_us + $horizon_us AND w.known_us <= w.end_us + $horizon_us
)
SELECT row, product FROM reached ORDER BY row, product
"""


@dataclass(frozen=True)
class Conversions:
    """What S sessions led to."""

    products: list[str]  # (P,), sorted
    reached: np.ndarray  # bool (S, P)


def outcome_events(events: pa.Table, params: Conversion) -> pa.Table:
    """Returns ``at_us, visitor_id, customer_id, product`` of the events that count as an outcome."""
    chosen = events.filter(pc.equal(events.column("event_type"), params.event))
    products = [_product(text, params.product) for text in chosen.column("properties").to_pylist()]
    table = pa.table(
        {
            "at_us": times_us(chosen.column("ts")),
            "visitor_id": chosen.column("visitor_id"),
            "customer_id": chosen.column("customer_id"),
            "product": pa.array(products, pa.string()),
        }
    )
    return table.filter(table.column("product").is_valid())


def conversions(sessions: pa.Table, outcomes: pa.Table, identity: pa.Table, horizon_days: float) -> Conversions:
    """Returns the products of the outcomes strictly after each session's end, up to the horizon, on any channel.

    An outcome is the session's when the same visitor has it, or the customer whom the session is linked to as of the
    horizon's end.

    Args:
        sessions: ``row, visitor_id, end_us`` (history.session_keys); rows rise.
        outcomes: ``outcome_events``.
        identity: schemas.IDENTITY.
        horizon_days: how long after the session's end an outcome counts.
    """
    with duckdb.connect(config={"threads": 1}) as warehouse:
        for name, table in (("sessions", sessions), ("outcomes", outcomes), ("identity", identity)):
            warehouse.register(name, table)
        horizon = {"horizon_us": round(horizon_days * DAY_US)}
        pairs = warehouse.sql(_REACHED, params=horizon).to_arrow_table()
    products = sorted(outcomes.column("product").unique().to_pylist())
    reached = np.zeros((len(sessions), len(products)), dtype=bool)
    places = pc.index_in(pairs.column("row"), value_set=sessions.column("row").combine_chunks()).to_numpy()
    reached[places, pc.index_in(pairs.column("product"), value_set=pa.array(products, pa.string())).to_numpy()] = True
    return Conversions(products, reached)


def usable_split(
    split: np.ndarray, start_us: np.ndarray, end_us: np.ndarray, data_end_us: int, horizon_us: int
) -> np.ndarray:
    """Returns the split that each session may be used in, (N,), "" for none.

    A horizon that passes the data's end cannot be judged; one that reaches into a later part would let a model learn
    from, or be chosen by, outcomes that happen there.
    """
    reaches_us = end_us + horizon_us
    usable = np.where(split == "embargo", "", split).astype(object)
    usable[reaches_us > data_end_us] = ""
    for part, later in (("train", ("valid", "test")), ("valid", ("test",))):
        starts = [start_us[split == name].min() for name in later if (split == name).any()]
        if starts:
            usable[(split == part) & (reaches_us >= min(starts))] = ""
    return usable


def _product(properties: str | None, key: str) -> str | None:
    try:
        values = json.loads(properties or "{}")
    except (ValueError, RecursionError):
        return None
    product = values.get(key) if isinstance(values, dict) else None
    return product if isinstance(product, str) and product else None
