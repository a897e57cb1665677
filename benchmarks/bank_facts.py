"""What only the demo bank can tell, most of it because its truth is known: logins, bots, tiles, links, speed."""

import gzip
import json

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.visits import Figures
from pipelines import params as params_file
from pipelines import schemas
from pipelines.evaluate.decisions import Decisions, find_decisions
from pipelines.evaluate.history import recency_weights, session_keys
from pipelines.params import Evaluate
from pipelines.paths import Workspace
from pipelines.tables import read_table

_EVENTS = ("event_id", "visitor_id", "customer_id", "ts", "channel", "event_type", "element", "properties")


def facts(bank: Workspace, simulate_seconds: float) -> Figures:
    """Returns the figures of the bank that lies in ``bank``, where simulate, ingest and sessionize have run."""
    events = read_table(bank.events, schemas.EVENTS, _EVENTS)
    sessions = read_table(bank.sessions, schemas.SESSIONS)
    evaluate = params_file.load(bank.params).evaluate
    decisions = find_decisions(events, evaluate.tile_ranking)
    linked = linked_share(decisions, sessions, read_table(bank.identity, schemas.IDENTITY), evaluate)
    rows = json.loads(bank.ingest_report.read_text())["total"]
    return {
        "cookies_that_log_in": login_share(events),
        "app_sessions": int(pc.sum(pc.equal(sessions.column("channel"), "app")).as_py()),
        **_tiles(events, evaluate),
        "tile_decisions": len(decisions),
        "decisions_with_web_session": linked,
        "bot_share": bot_rows(bank) / rows["rows_read"],
        "bot_share_found": rows["bots"] / rows["rows_read"],
        "events": rows["rows_read"],
        "simulate_seconds": simulate_seconds,
        "events_per_second": rows["rows_read"] / simulate_seconds,
    }


def login_share(events: pa.Table) -> float:
    """Returns the share of web visitors (cookies) with an authenticated web event."""
    with duckdb.connect() as warehouse:
        warehouse.register("events", events.select(["visitor_id", "customer_id", "channel"]))
        cookies = (
            "SELECT bool_or(customer_id IS NOT NULL) AS known FROM events WHERE channel = 'web' GROUP BY visitor_id"
        )
        return float(warehouse.sql(f"SELECT avg(known::INT) FROM ({cookies})").fetchall()[0][0])


def linked_share(decisions: Decisions, sessions: pa.Table, identity: pa.Table, params: Evaluate) -> float:
    """Returns the share of ``decisions`` that may read an earlier web session of their customer, as evaluate does."""
    rows = np.flatnonzero(pc.equal(sessions.column("channel"), "web").to_numpy())
    keys, spans = session_keys(sessions, rows), (params.half_life_days, params.lookback_days)
    weights = recency_weights(decisions.moments, keys, identity, len(sessions), *spans)
    return float((np.asarray(weights.sum(axis=1)).ravel() > 0).mean())


def bot_rows(bank: Workspace) -> int:
    """Returns how many raw rows truth says are a machine's; a row that is no JSON object is nobody's."""
    bots = set(pq.read_table(bank.truth / "bots.parquet").column("client_id").to_pylist())
    return sum(
        _client(line) in bots
        for file in sorted((bank.data / "events").glob("*.jsonl.gz"))
        for line in gzip.decompress(file.read_bytes()).splitlines()
    )


def _client(line: bytes) -> str | None:
    try:
        client = json.loads(line)["client"]["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return client if isinstance(client, str) else None


def _tiles(events: pa.Table, params: Evaluate) -> Figures:
    kinds = events.column("event_type")
    impressions, clicks = (
        int(pc.sum(pc.equal(kinds, kind)).as_py())
        for kind in (params.tile_ranking.impression_event, params.tile_ranking.click_event)
    )
    return {"impressions": impressions, "clicks": clicks, "clicks_per_impression": clicks / impressions}
