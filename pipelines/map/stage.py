"""map: embeddings -> reports/embedding.html, a page that shows a sample of all sessions and loads nothing."""

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipelines import schemas
from pipelines.alignment import stacked
from pipelines.map.page import FAINT, PALETTE, Colouring, Point, coloured, page
from pipelines.map.projection import projected
from pipelines.params import Params
from pipelines.paths import Workspace, staged
from pipelines.tables import check_table, read_table

N_SESSIONS: Final = 3_000  # more overlap, and take longer to lay out
NO_INTENT: Final = "no intent named"
OUTCOMES: Final = {
    "converted in this session": PALETTE[5],
    "converted some days later": PALETTE[0],
    "did not convert": FAINT,
}

_OUTCOMES: Final = """
SELECT s.row, min(CASE WHEN e.ts <= s.end_ts THEN 0 ELSE 1 END) AS place
FROM sessions s JOIN (SELECT * FROM events WHERE event_type = $event) e
    ON (e.visitor_id = s.visitor_id OR e.customer_id = s.customer_id) AND e.ts BETWEEN s.start_ts AND s.until
GROUP BY s.row
"""


def run(workspace: Workspace, params: Params) -> None:
    """Lays out a seeded sample of the sessions in two dimensions, and writes the page.

    Raises:
        TableError: a table of an earlier stage is missing, or the embeddings are of several encoders.
    """
    sessions = read_table(workspace.sessions, schemas.SESSIONS)
    rows = np.sort(np.random.default_rng(params.seed).permutation(len(sessions))[:N_SESSIONS])
    sample = sessions.take(pa.array(rows))
    embeddings = stacked([_of(sample, read_table(workspace.embeddings, schemas.EMBEDDINGS))])
    print(f"map: laying out {len(sample):,} of {len(sessions):,} sessions", flush=True)
    places = projected(np.stack(embeddings.column("embedding").to_numpy()), params.seed)
    intents = _intents(workspace, sample)
    outcomes = _outcomes(workspace, params, sample)
    first = [names[0] if names else NO_INTENT for names in intents]
    colourings = [
        coloured("Intent", first, "another intent", NO_INTENT),
        coloured("Channel", sample.column("channel").to_pylist(), "another channel", "no channel"),
        Colouring.of_values("Outcome", [[*OUTCOMES][place] for place in outcomes], OUTCOMES),
    ]
    events = sample.column("events").to_pylist()
    starts = sample.column("start_ts").to_pylist()
    points = [
        Point(x, y, f"{starts[row]:%a %H:%M} UTC", [event["page"] or event["event_type"] for event in events[row]],
              intents[row][:3])
        for row, (x, y) in enumerate(places.tolist())
    ]  # fmt: skip
    simulated = (workspace.data / "demo_bank.json").exists()
    with staged(workspace, "map") as staging:
        text = page(points, colourings, len(sessions), simulated)
        staging.path(workspace.embedding_map).write_text(text, encoding="utf-8")
    print(f"map: {workspace.embedding_map}")


def _of(sample: pa.Table, table: pa.Table) -> pa.Table:
    """The rows of ``table`` that belong to the sessions of ``sample``, in their order."""
    ids = table.column("session_id").combine_chunks()
    return table.take(pc.index_in(sample.column("session_id"), value_set=ids))


def _intents(workspace: Workspace, sample: pa.Table) -> list[list[str]]:
    """Names of the intents of each session, most probable first."""
    named = _of(sample, read_table(workspace.intents, schemas.INTENTS)).column("intents").to_pylist()
    taxonomy = yaml.safe_load(workspace.used_taxonomy.read_text(encoding="utf-8"))
    names = {intent["id"]: intent["name"] for category in taxonomy["categories"] for intent in category["intents"]}
    return [[names.get(intent, intent) for intent in found] for found in named]


def _outcomes(workspace: Workspace, params: Params, sample: pa.Table) -> np.ndarray:
    """Place in OUTCOMES of each session."""
    check_table(workspace.events, schemas.EVENTS, ["ts"])
    horizon = pa.scalar(round(params.evaluate.conversion.horizon_days * 86_400_000_000), pa.duration("us"))
    keys = sample.select(["visitor_id", "customer_id", "start_ts", "end_ts"])
    keys = keys.append_column("until", pc.add(keys.column("end_ts"), horizon))
    with duckdb.connect(config={"threads": 1}) as warehouse:
        warehouse.register("sessions", keys.append_column("row", pa.array(np.arange(len(keys)))))
        asked = {"event": params.evaluate.conversion.event}
        files = sorted(str(path) for path in workspace.events.rglob("*.parquet"))
        warehouse.read_parquet(files, hive_partitioning=False).create_view("events")
        found = warehouse.sql(_OUTCOMES, params=asked).to_arrow_table()
    places = np.full(len(sample), 2)
    places[found.column("row").to_numpy()] = found.column("place").to_numpy()
    return places
