"""The MSNBC protocol: which visits train, which are tested, and what of them is read.

Consecutive repeats collapsed, sequences of at least 4, their first 64 events; the input is all but the last, the target
the category of the last. The order is numpy's default_rng(7).permutation; the first 40,000 train, the next 15,000 test.
The embedding is learnt from the training inputs alone and frozen; logistic regression reads it. This module names that
split and nothing else of the pipeline: ingest, sessionize and pretrain run as they are, with the defaults of
params.yaml.

Data: UCI "MSNBC.com Anonymous Web Data" (CC BY 4.0), as msnbc/msnbc990928.zip in the folder of real data.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipelines import schemas, telemetry
from pipelines.__main__ import main as pipeline
from pipelines.paths import Workspace
from pipelines.tables import read_table, write_table

REPOSITORY: Final = Path(__file__).resolve().parent.parent
CATEGORIES: Final = [
    *("frontpage", "news", "tech", "local", "opinion", "on-air", "misc", "weather", "msn-news", "health", "living"),
    *("business", "msn-sports", "sports", "summary", "bbs", "travel"),
]
MIN_EVENTS, MAX_EVENTS, N_TRAIN, N_TEST, ORDER_SEED = 4, 64, 40_000, 15_000, 7


def prepared(name: str) -> tuple[Workspace, Workspace]:
    """Returns the roots of all visits and of the protocol, params written, nothing run.

    Raises:
        SystemExit: the data is not there.
    """
    telemetry.switch_off()
    shared = Path(os.environ.get("CLICKS_DATA", REPOSITORY.parent / "shared" / "data"))
    archive = shared / "msnbc" / "msnbc990928.zip"
    if not archive.exists():
        print(f"{name}: no data: put UCI's MSNBC.com Anonymous Web Data at {archive} (or set CLICKS_DATA)")
        sys.exit(1)
    os.environ.setdefault("CLICKS_ID_KEY", "no secret: line numbers stand for visitors")
    traffic, probe = (make_workspace(REPOSITORY / ".work" / root, archive) for root in ("msnbc", "msnbc-protocol"))
    return traffic, probe


def make_workspace(root: Path, archive: Path) -> Workspace:
    """Returns a root whose params.yaml is the repository's with the visits as its only source."""
    values: dict[str, Any] = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    values["ingest"]["sources"] = [{"path": str(archive), "format": "sequences", "names": CATEGORIES}]
    workspace = Workspace(root)
    root.mkdir(parents=True, exist_ok=True)
    workspace.params.write_text(yaml.safe_dump(values))
    return workspace


def timed(stage: str, workspace: Workspace) -> float:
    """Runs one stage as the command line does; returns its seconds."""
    start = time.perf_counter()
    if pipeline([stage, "--root", str(workspace.root)]):
        sys.exit(1)
    seconds = time.perf_counter() - start
    print(f"msnbc: {stage} took {seconds:.0f} s", flush=True)
    return seconds


def written(traffic: Workspace, probe: Workspace) -> np.ndarray:
    """Runs ingest and sessionize where that was not done before; returns the protocol's targets."""
    target_file = probe.root / "targets.npy"
    if not (target_file.exists() and probe.sessions.exists() and _as_now(probe.sessions)):
        for stage in ("ingest", "sessionize"):
            timed(stage, traffic)
        np.save(target_file, write_protocol(traffic, probe))
    return np.asarray(np.load(target_file))


def write_protocol(traffic: Workspace, probe: Workspace) -> np.ndarray:
    """Writes the protocol's inputs as sessions of ``probe``, train first; returns the target category of each."""
    visits = protocol_visits(traffic)
    order = np.random.default_rng(ORDER_SEED).permutation(len(visits))[: N_TRAIN + N_TEST]
    chosen = visits.take(pa.array(order))
    lengths = pc.list_value_length(chosen.column("events")).to_numpy()
    ends = np.cumsum(lengths)
    events = pc.list_flatten(chosen.column("events")).combine_chunks()
    targets = pc.index_in(events.field("page").take(pa.array(ends - 1)), pa.array(CATEGORIES)).to_numpy()
    inputs = events.filter(pa.array(~np.isin(np.arange(len(events)), ends - 1)))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths - 1)]), pa.int32())
    columns = {name: chosen.column(name) for name in schemas.SESSIONS.names}
    columns["events"] = pa.ListArray.from_arrays(offsets, inputs)
    columns["n_events"] = pa.array(lengths - 1, pa.int32())
    columns["split"] = pa.array(["train"] * N_TRAIN + ["test"] * N_TEST)
    probe.artifacts.mkdir(parents=True, exist_ok=True)
    write_table(pa.table(columns), probe.sessions, schemas.SESSIONS)
    write_table(read_table(traffic.pages, schemas.PAGES), probe.pages, schemas.PAGES)
    return np.asarray(targets)


def protocol_visits(traffic: Workspace) -> pa.Table:
    """Returns the visits of the protocol in the order of the file: sessions, repeats collapsed, cut to 64 events."""
    with duckdb.connect() as warehouse:
        return warehouse.sql(
            f"""
            WITH lines AS (
                SELECT visitor_id, min(regexp_extract(event_id, '\\d+')::BIGINT) AS line
                FROM read_parquet('{traffic.events}/*/*.parquet') GROUP BY visitor_id
            ), collapsed AS (
                SELECT * REPLACE (list_filter(events, lambda event, place:
                    place = 1 OR event.page <> events[place - 1].page)[:{MAX_EVENTS}] AS events)
                FROM read_parquet('{traffic.sessions}')
            )
            SELECT collapsed.* FROM collapsed JOIN lines USING (visitor_id)
            WHERE len(events) >= {MIN_EVENTS} ORDER BY line
            """
        ).to_arrow_table()


def _as_now(sessions: Path) -> bool:
    """Whether the table has the columns that sessionize writes today."""
    import pyarrow.parquet as pq

    return bool(pq.read_schema(sessions).equals(schemas.SESSIONS))
