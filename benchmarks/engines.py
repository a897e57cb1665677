"""The rules of sessions on DuckDB and on Spark: the same expressions over the same events must give the same rows.

The events are made up to hit every rule: visitors shared by customers and customers on several visitors, ties in time,
robots that are never silent, streams without a clock.

    make test-spark      (it installs PySpark under .work/spark; Java 17 or later must be there)
"""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.console import leave_with
from pipelines.schemas import TIMESTAMP
from pipelines.sessionize import rules
from pipelines.sessionize.rules import Rule
from pipelines.sessionize.splits import Boundaries

DAY_US: Final = 86_400_000_000
START_US: Final = 1_767_571_200_000_000  # 2026-01-05
GAP_US: Final = 1_800_000_000
MAX_US: Final = 43_200_000_000
BOUNDARIES: Final = Boundaries(START_US + 20 * DAY_US, START_US + 30 * DAY_US, DAY_US // 2, 0.1, 0.2)
N_VISITORS: Final = 600
Rows = list[tuple[Any, ...]]


class Engine(Protocol):
    """What holds tables and answers rules."""

    def put(self, name: str, table: pa.Table) -> None: ...
    def make(self, name: str, rule: Rule, *values: Any) -> int: ...
    def rows(self, rule: Rule, *values: Any) -> Rows: ...


class DuckDB:
    """As the stage uses it."""

    def __init__(self) -> None:
        self._house = duckdb.connect()
        self._house.execute("SET TimeZone = 'UTC'")

    def put(self, name: str, table: pa.Table) -> None:
        self._house.register("given", table)
        self._house.execute(f"CREATE OR REPLACE TABLE {name} AS FROM given")

    def make(self, name: str, rule: Rule, *values: Any) -> int:
        self._house.execute(f"CREATE OR REPLACE TABLE {name} AS {rules.sql(rule, *values)}")
        return int(self._house.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])

    def rows(self, rule: Rule, *values: Any) -> Rows:
        return _rows(self._house.sql(rules.sql(rule, *values)).to_arrow_table())


class Spark:
    """Two local threads, no network."""

    def __init__(self) -> None:
        from pyspark.sql import SparkSession

        settings = {
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "4",
            "spark.ui.enabled": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.execution.arrow.pyspark.enabled": "true",
        }
        self._spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
        self._spark.sparkContext.setLogLevel("ERROR")

    def put(self, name: str, table: pa.Table) -> None:
        self._spark.createDataFrame(table).createOrReplaceTempView(name)

    def make(self, name: str, rule: Rule, *values: Any) -> int:
        frame = self._spark.sql(rules.sql(rule, *values, dialect="pyspark")).localCheckpoint()
        frame.createOrReplaceTempView(name)
        return int(frame.count())

    def rows(self, rule: Rule, *values: Any) -> Rows:
        return _rows(self._spark.sql(rules.sql(rule, *values, dialect="pyspark")).toArrow())


@dataclass(frozen=True)
class Events:
    """Made-up events: the table ``events``, and each one's stream as a number."""

    table: pa.Table
    stream: np.ndarray


def main() -> int:
    """Prints what was compared; returns 1 where the engines disagree."""
    events = made_up(np.random.default_rng(7))
    answers: dict[str, Mapping[str, Rows]] = {}
    seconds: dict[str, float] = {}
    for name, engine in (("duckdb", DuckDB()), ("spark", Spark())):
        started = time.perf_counter()
        answers[name] = asked(engine, events)
        seconds[name] = time.perf_counter() - started
    is_same = True
    print(f"{len(events.table):,} events; " + ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items()))
    for rule, rows in answers["duckdb"].items():
        agree = rows == answers["spark"][rule]
        is_same = is_same and agree
        print(f"{rule:12}{len(rows):9,} rows  {'the same on both' if agree else 'DIFFERENT'}")
    return 0 if is_same else 1


def made_up(draw: np.random.Generator) -> Events:
    """Returns events of N_VISITORS, a tenth of them robots, a tenth without a clock."""
    lengths = np.where(np.arange(N_VISITORS) % 10 == 0, 900, draw.integers(1, 40, N_VISITORS))
    visitor = np.repeat(np.arange(N_VISITORS), lengths)
    kind = visitor % 10
    pauses_s = np.where(
        kind == 0, draw.integers(1, 1800, len(visitor)), draw.choice([0, 60, 1800, 1801, 90_000], len(visitor))
    )
    elapsed_s = np.cumsum(pauses_s)
    first = np.cumsum(lengths) - lengths
    within_s = elapsed_s - np.repeat(elapsed_s[first], lengths)
    times_us = np.where(kind == 1, rules.EPOCH_US, START_US) + within_s * 1_000_000
    channel = draw.integers(0, 2, len(visitor))
    logs_in = (draw.random(len(visitor)) < 0.05) & (kind != 1)
    customers = pa.array([f"c{number}" for number in draw.integers(0, 200, len(visitor))])
    table = pa.table(
        {
            "event_id": [f"e{number:06}" for number in draw.permutation(len(visitor))],
            "visitor_id": [f"v{number}" for number in visitor],
            "customer_id": pa.array(
                [value if is_login else None for value, is_login in zip(customers.to_pylist(), logs_in, strict=True)],
                pa.string(),
            ),
            "ts": pa.array(times_us).cast(TIMESTAMP),
            "channel": pa.array(["web", "app"]).take(pa.array(channel)),
        }
    )
    order = pa.array(draw.permutation(len(visitor)))
    return Events(table.take(order), (visitor * 2 + channel)[order.to_numpy()])


def asked(engine: Engine, events: Events) -> dict[str, Rows]:
    """Returns what the rules say of ``events``, in the order in which ``sessionize`` asks them."""
    rows = events.table
    times_us = rows.column("ts").cast(pa.int64())
    numbers = np.arange(len(rows))
    engine.put(
        "arrived",
        pa.table({"number": numbers, "stream": events.stream, "ts_us": times_us, "event_id": rows.column("event_id")}),
    )
    in_order = engine.rows(rules.in_order)
    order = np.array(in_order)[:, 0]
    ordered_us = times_us.to_numpy()[order]
    engine.put("ordered", pa.table({"stream": events.stream[order], "place": numbers, "ts_us": ordered_us}))
    rules.cut(engine.make, GAP_US, MAX_US)
    starts = sorted(engine.rows(rules.starts))
    starts_us = np.array(starts)[:, 1]
    begins = np.flatnonzero(np.append(True, (np.diff(events.stream[order]) != 0) | (np.diff(starts_us) != 0)))
    first = rows.take(pa.array(order[begins]))
    named = {name: first.column(name) for name in ("visitor_id", "channel", "event_id")}
    engine.put("begun", pa.table({"number": np.arange(len(begins)), "start_us": starts_us[begins], **named}))
    ids = engine.rows(rules.session_ids)
    engine.put("events", rows)
    engine.make("identity", rules.identity)
    identity = engine.rows(rules.identity)
    ends_us = ordered_us[np.append(begins[1:], len(order)) - 1]
    sessions = {"number": np.arange(len(begins)), "visitor_id": first.column("visitor_id")}
    engine.put("sessions", pa.table({**sessions, "start_us": starts_us[begins], "end_us": ends_us}))
    engine.put("links", links(identity))
    found = {"order": in_order, "starts": starts, "session_ids": ids, "identity": identity}
    return found | {
        f"{name} links": engine.rows(rules.membership, name, BOUNDARIES) for name in ("asof", "latest", "none")
    }


def links(identity: Rows) -> pa.Table:
    """The table ``links``: identity with its times in microseconds."""
    visitors, customers, since, until, _ = zip(*identity, strict=True)
    times_us = [pa.array(side, TIMESTAMP).cast(pa.int64()) for side in (since, until)]
    return pa.table({"visitor_id": visitors, "customer_id": customers, "from_us": times_us[0], "to_us": times_us[1]})


def _rows(table: pa.Table) -> Rows:
    columns = [column.cast(TIMESTAMP) if pa.types.is_timestamp(column.type) else column for column in table.columns]
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


if __name__ == "__main__":
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    leave_with(main)
