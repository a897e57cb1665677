"""sessionize: artifacts/events -> sessions.parquet, pages.parquet, identity.parquet."""

from collections import Counter
from dataclasses import asdict

import duckdb
import pyarrow as pa

from pipelines import schemas, warehouse
from pipelines.params import Sessionize
from pipelines.paths import Workspace, staged
from pipelines.sessionize.identity import STITCHING, link
from pipelines.sessionize.pages import catalogue
from pipelines.sessionize.sessions import cut, event_lists
from pipelines.sessionize.splits import PART, boundaries
from pipelines.tables import check_table, write_table

_READ = (
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
)


def run(workspace: Workspace, params: Sessionize, seed: int) -> None:
    """Cuts the events into sessions; nothing is drawn, so ``seed`` changes nothing.

    Raises:
        ParamsError: the split's boundaries are out of order.
        TableError: the events are missing, or lack a column.
    """
    files = check_table(workspace.events, schemas.EVENTS, _READ)
    with staged(workspace, "sessionize") as staging, warehouse.connect(staging.folder) as house:
        house.read_parquet([str(file) for file in files], hive_partitioning=False).create_view("events")
        sessions = session_table(house, params)
        write_table(sessions, staging.path(workspace.sessions), schemas.SESSIONS)
        for name, target in (("pages", workspace.pages), ("identity", workspace.identity)):
            table = house.table(name).to_arrow_table()
            write_table(table, staging.path(target), getattr(schemas, name.upper()))
    print(_summary(sessions))


def session_table(house: duckdb.DuckDBPyConnection, params: Sessionize) -> pa.Table:
    """Returns schemas.SESSIONS of the view ``events``, ordered by start and id; leaves ``pages`` and ``identity``."""
    cut(house, params)
    link(house)
    catalogue(house)
    sessions = house.sql(
        f"""
        SELECT session_id, sessions.visitor_id, customer_id, channel, start_us, end_us, n_events, {PART} AS split
        FROM sessions LEFT JOIN identity
        ON sessions.visitor_id = identity.visitor_id AND {STITCHING[params.stitching]}
        ORDER BY start_us, session_id
        """,
        params=asdict(boundaries(house, params.split)),
    ).to_arrow_table()
    sessions = sessions.append_column("events", event_lists(house, sessions.column("n_events")))
    return sessions.rename_columns({"start_us": "start_ts", "end_us": "end_ts"})


def _summary(sessions: pa.Table) -> str:
    parts = Counter(sessions.column("split").to_pylist())
    known = len(sessions) - sessions.column("customer_id").null_count
    counts = ", ".join(f"{name} {parts[name]:,}" for name in schemas.SPLITS)
    return f"sessionize: {len(sessions):,} sessions, {known:,} of a known customer ({counts})"
