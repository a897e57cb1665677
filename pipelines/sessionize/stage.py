"""sessionize: artifacts/events -> sessions, pages, identity, replaced_sessions (Parquet), reports/sessionize.json."""

import json
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb

from pipelines import schemas, warehouse
from pipelines.params import Sessionize
from pipelines.paths import Staging, Workspace, staged
from pipelines.sessionize import buckets, merge, report
from pipelines.sessionize import since as incremental
from pipelines.sessionize.identity import link
from pipelines.sessionize.membership import Membership
from pipelines.sessionize.pages import catalogue
from pipelines.sessionize.rules import EPOCH_US
from pipelines.sessionize.sessions import cut
from pipelines.sessionize.splits import boundaries, check
from pipelines.tables import check_table, write_table

_READ: Final = (
    "event_id",
    "visitor_id",
    "customer_id",
    "ts",
    "channel",
    "event_type",
    "page",
    "title",
    "text",
    "element",
    "query",
    "referrer",
    "properties",
)
_DUCKDB_SHARE: Final = 0.4
"""Of the memory limit; Python, Arrow and the lists of a bucket live beside DuckDB."""


def run(workspace: Workspace, params: Sessionize, seed: int, *, since: date | None = None) -> None:
    """Cuts the events into sessions; nothing is drawn, so ``seed`` changes nothing.

    Args:
        workspace: where the events are, and the tables go.
        params: the rules.
        seed: of all randomness.
        since: keep the former sessions but those that events from this day on can have changed: see since.py.

    Raises:
        ParamsError: the split's boundaries are out of order.
        TableError: the events are missing, or lack a column; or ``since`` finds no sessions cut by the same rules.
    """
    check(params.split)
    files = check_table(workspace.events, schemas.EVENTS, _READ)
    if since:
        report.check_former(workspace.sessionize_report, workspace.sessions, params)
    with staged(workspace, "sessionize") as staging, warehouse.connect(staging.folder) as house:
        house.execute(f"SET memory_limit = '{params.memory_gb * _DUCKDB_SHARE:.3f}GiB'")
        house.execute("SET preserve_insertion_order = false")
        house.read_parquet([str(file) for file in files], hive_partitioning=False).create_view("events")
        restart = incremental.restart(house, workspace.sessions, params, since) if since else None
        parts = list(_parts(house, "reopened" if restart else "events", params, staging.folder / "parts"))
        link(house)
        catalogue(house)
        counts = _write(house, workspace, staging, params, parts, restart)
    print(_summary(counts))


def _parts(house: duckdb.DuckDBPyConnection, events: str, params: Sessionize, folder: Path) -> Iterator[Path]:
    """Cuts the view ``events``, a bucket of visitors at a time; yields the files that hold their sessions, sorted."""
    n_events = house.sql(f"SELECT count(*) FROM {events}").fetchall()[0][0]
    if not n_events:
        return
    n = buckets.n_buckets(n_events, params.memory_gb)
    for bucket in buckets.spread(house, events, params.session_property, folder, n):
        part = bucket.with_suffix(".cut")
        merge.write_part(cut(house, buckets.read(bucket), params), part)
        bucket.unlink()
        yield part


def _write(
    house: duckdb.DuckDBPyConnection,
    workspace: Workspace,
    staging: Staging,
    params: Sessionize,
    parts: list[Path],
    restart: incremental.Restart | None,
) -> dict[str, Any]:
    """Writes all tables and the report; returns the report."""
    member = Membership(house, params.stitching, boundaries(params.split, partial(_span_us, house, parts, restart)))
    kept = [merge.Kept(workspace.sessions, restart.dropped)] if restart else []
    sessions = merge.merged([*kept, *(merge.Kept(part) for part in parts)])
    merge.write_sessions(sessions, member.dress, staging.path(workspace.sessions))
    for name, target in (("pages", workspace.pages), ("identity", workspace.identity)):
        write_table(house.table(name).to_arrow_table(), staging.path(target), getattr(schemas, name.upper()))
    listed = workspace.replaced_sessions
    replaced = incremental.replaced(house, parts, listed) if restart else schemas.REPLACED.empty_table()
    write_table(replaced, staging.path(listed), schemas.REPLACED)
    changed = incremental.changed(house, restart, replaced) if restart else None
    counts = report.counted(house, member.tally, params, changed)
    path = staging.path(workspace.sessionize_report)
    path.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return counts


def _span_us(
    house: duckdb.DuckDBPyConnection, parts: list[Path], restart: incremental.Restart | None
) -> tuple[int, int]:
    """First start and last end of the sessions that have a clock."""
    tables = []
    if parts:
        house.register("cut", merge.dataset(parts))
        tables.append("SELECT start_ts, end_ts FROM cut")
    if restart:
        tables.append("SELECT start_ts, end_ts FROM former ANTI JOIN dropped USING (session_id)")
    if not tables:
        return 0, 0
    first_us, last_us = house.execute(
        "SELECT coalesce(min(epoch_us(start_ts)), 0), coalesce(max(epoch_us(end_ts)), 0) "
        f"FROM ({' UNION ALL '.join(tables)}) WHERE epoch_us(start_ts) <> {EPOCH_US}"
    ).fetchall()[0]
    return first_us, last_us


def _summary(counts: dict[str, Any]) -> str:
    parts = ", ".join(f"{name} {counts['by_split'][name]:,}" for name in schemas.SPLITS)
    return (
        f"sessionize: {counts['sessions']:,} sessions, {counts['of_a_known_customer']:,} of a known customer ({parts})"
    )
