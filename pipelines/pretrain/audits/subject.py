"""What is audited: an encoder, and a sample of the sessions that it may know, embedded by it."""

from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schemas
from pipelines.encoder.runtime import Runtime
from pipelines.paths import Workspace
from pipelines.tables import check_table, read_table

N_SESSIONS: Final = 6_000  # enough for two digits of every figure, in seconds
TRAITS: Final = ("device", "region")
"""Columns of the events that no session embedding should betray."""

_TRAITS_OF: Final = """
SELECT s.row, arg_min(e.device, e.ts) AS device, arg_min(e.region, e.ts) AS region
FROM events e JOIN sessions s ON e.visitor_id = s.visitor_id AND e.channel = s.channel
    AND e.ts BETWEEN s.start_ts AND s.end_ts
GROUP BY s.row ORDER BY s.row
"""


@dataclass(frozen=True)
class Subject:
    """An encoder and N of its sessions."""

    runtime: Runtime
    sessions: pa.Table  # schemas.SESSIONS
    pages: pa.Table  # schemas.PAGES
    embeddings: np.ndarray  # (N, D)
    traits: dict[str, np.ndarray]  # by name, (N,) object; None where it is not known
    seed: int

    @classmethod
    def of(cls, workspace: Workspace, runtime: Runtime, seed: int) -> "Subject":
        """Returns ``runtime`` on a seeded sample of the workspace's training and validation sessions."""
        sessions = read_table(workspace.sessions, schemas.SESSIONS)
        pages = read_table(workspace.pages, schemas.PAGES)
        known = np.flatnonzero(pc.is_in(sessions.column("split"), pa.array(["train", "valid"])).to_numpy())
        size = min(N_SESSIONS, len(known))
        rows = np.sort(np.random.default_rng(seed).choice(known, size, replace=False))
        sample = sessions.take(pa.array(rows))
        return cls(runtime, sample, pages, runtime.embed(sample, pages), _traits(workspace, sample), seed)


def _traits(workspace: Workspace, sessions: pa.Table) -> dict[str, np.ndarray]:
    """TRAITS of each session's first event that has them; none where there are no events to look into."""
    if not workspace.events.exists():
        return {}
    files = [str(path) for path in check_table(workspace.events, schemas.EVENTS, ["ts"])]
    keys = sessions.select(["visitor_id", "channel", "start_ts", "end_ts"])
    with duckdb.connect(config={"threads": 1}) as warehouse:
        warehouse.register("sessions", keys.append_column("row", pa.array(np.arange(len(keys)))))
        warehouse.read_parquet(files, hive_partitioning=False).create_view("events")
        found = warehouse.sql(_TRAITS_OF).to_arrow_table()
    traits = {}
    for name in TRAITS:
        traits[name] = np.full(len(keys), None, dtype=object)
        traits[name][found.column("row").to_numpy()] = found.column(name).to_pylist()
    return traits
