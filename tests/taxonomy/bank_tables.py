"""A made-up bank's sessions, pages and embeddings for the taxonomy stage: four needs, web and app, all splits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import params, schemas
from pipelines.paths import Workspace
from pipelines.tables import write_table
from pipelines.taxonomy.quoting import Quotable, quotable
from pipelines.taxonomy.rendering import RenderedSession

NEEDS = {
    "mortgage": [
        ("/home-loans", "Home loans"),
        ("/home-loans/rates", "Mortgage rates today"),
        ("/home-loans/first-time-buyer", "First-time buyer mortgage"),
    ],
    "card": [
        ("/cards", "Credit cards"),
        ("/cards/cash-back", "Everyday cash back card"),
        ("/cards/travel", "Travel rewards card"),
    ],
    "retire": [
        ("/retirement", "Retirement"),
        ("/retirement/planner", "Retirement planner"),
        ("/retirement/ira", "Individual retirement accounts"),
    ],
    "none": [("/", "Alder Bank")],
}
SCREENS = [("/transfer", "Transfer money"), ("/bills", "Pay bills")]
START = datetime(2026, 1, 5, tzinfo=UTC)


def truth(number: int) -> str:
    """What session ``number`` is about; every fifth is of the app."""
    return "app" if number % 5 == 4 else list(NEEDS)[number % 4]


def sessions(n_sessions: int) -> pa.Table:
    return pa.Table.from_pylist([_session(number, n_sessions) for number in range(n_sessions)], schema=schemas.SESSIONS)


def pages() -> pa.Table:
    rows = [("web", page, title) for listed in NEEDS.values() for page, title in listed]
    rows += [("app", page, title) for page, title in SCREENS]
    columns = [{"channel": channel, "page": page, "title": title, "n_events": 9} for channel, page, title in rows]
    return pa.Table.from_pylist(columns, schema=schemas.PAGES)


def embeddings(n_sessions: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_sessions, 8)).astype(np.float32)
    rows = [
        {"session_id": _id(number), "embedding": vector, "encoder_version": "made-up"}
        for number, vector in enumerate(vectors)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.EMBEDDINGS)


def quote_anything(rendered: Sequence[RenderedSession]) -> Quotable:
    """What may be quoted where one visitor is enough."""
    return quotable(rendered, {session.session_id: session.session_id for session in rendered}, 1)


def workspace(root: Path, n_sessions: int = 240, seed: int = 1) -> Workspace:
    """A root with what the stage reads."""
    made = Workspace(root)
    made.artifacts.mkdir(parents=True)
    write_table(sessions(n_sessions), made.sessions, schemas.SESSIONS)
    write_table(pages(), made.pages, schemas.PAGES)
    write_table(embeddings(n_sessions, seed), made.embeddings, schemas.EMBEDDINGS)
    return made


def taxonomy_params(repository: Path, **changes: Any) -> params.Taxonomy:
    small = {"n_read": 60, "n_label": 120, "n_clusters": 6, "min_sessions": 2, "max_intents": 4, "max_attempts": 3}
    small |= {"min_visitors": 2, "stability_seeds": 0}
    block = params.load(repository / "params.yaml").taxonomy
    return params.Taxonomy.model_validate(block.model_dump() | small | changes)


def _id(number: int) -> str:
    return f"5e551d{number:06d}"


def _session(number: int, n_sessions: int) -> dict[str, Any]:
    need = truth(number)
    listed = SCREENS if need == "app" else NEEDS[need]
    start = START + timedelta(hours=number)
    n_events = min(len(listed), 1 + number % 3)
    events = [
        {
            "ts": start + timedelta(seconds=30 * step),
            "event_type": "page_view",
            "page": listed[(number + step) % len(listed)][0],
            "element": "element-secret-1",
            "query": "ira limits" if need == "retire" and step == 1 else None,
            "dwell_seconds": 30.0 if step < n_events - 1 else None,
        }
        for step in range(n_events)
    ]
    return {
        "session_id": _id(number),
        "visitor_id": f"visitor-{number % 40}",
        "customer_id": "customer-secret",
        "channel": "app" if need == "app" else "web",
        "start_ts": start,
        "end_ts": events[-1]["ts"],
        "n_events": n_events,
        "events": events,
        "split": ("train", "train", "valid", "test")[number * 4 // n_sessions],
    }
