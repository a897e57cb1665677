"""A small workspace as the earlier stages would leave it: web sessions with a need, app decisions that follow it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from pipelines import schemas
from pipelines.paths import Workspace
from pipelines.tables import write_table

START = datetime(2026, 1, 5, tzinfo=UTC)
NEEDS = ("loans", "cards", "savings")
TILES = ("t-cards", "t-help", "t-loans", "t-savings")
N_DAYS = 40
VALID_DAY, TEST_DAY = 20, 28


def at(days: float) -> datetime:
    """Returns the moment so many days after the start."""
    return START + timedelta(microseconds=round(days * 86_400e6))


def split_of(days: float) -> str:
    return "train" if days < VALID_DAY else "valid" if days < TEST_DAY else "test"


def session(name: str, visitor: str, channel: str, start: float, pages: Iterable[str], end: float) -> dict[str, Any]:
    """Returns a row of schemas.SESSIONS; its events lie at its start, the last at its end."""
    seen = list(pages)
    times = [at(start)] * (len(seen) - 1) + [at(end)]
    events = [{"ts": ts, "event_type": "page_view", "page": page} for ts, page in zip(times, seen, strict=True)]
    return {
        "session_id": name,
        "visitor_id": visitor,
        "channel": channel,
        "start_ts": at(start),
        "end_ts": at(end),
        "n_events": len(seen),
        "events": events,
        "split": split_of(start),
    }


def event(name: str, visitor: str, days: float, event_type: str, **fields: Any) -> dict[str, Any]:
    """Returns a row of schemas.EVENTS."""
    row = {"event_id": name, "visitor_id": visitor, "ts": at(days), "channel": "app", "event_type": event_type}
    properties = fields.pop("properties", None)
    return row | {"properties": None if properties is None else json.dumps(properties)} | fields


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


class World:
    """People: a web session, then a login there, an app decision the same day, sometimes an application."""

    def __init__(self, n_people: int = 150) -> None:
        generator = np.random.default_rng(11)
        self.events: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.identity: list[dict[str, Any]] = []
        self.embeddings: list[np.ndarray] = []
        self.needs: dict[str, str] = {}
        self.impressions: list[dict[str, Any]] = []
        for number in range(n_people):
            for visit in range(2):
                self._visit(number, visit, (N_DAYS - 8) * generator.random() + 0.5, generator)
        self.events.append(event("last", "nobody", N_DAYS, "page_view"))

    def _visit(self, number: int, visit: int, day: float, generator: np.random.Generator) -> None:
        web, app, customer, key = f"w{number}-{visit}", f"a{number}", f"c{number}", f"{number}-{visit}"
        need = int(generator.integers(3))
        page = f"/{NEEDS[need]}"
        self._session(session(f"sw{key}", web, "web", day, ["/", page], day + 0.01), need, generator)
        self.events.append(event(f"ew{key}", web, day, "page_view", channel="web", page=page))
        self.needs[f"ew{key}"] = NEEDS[need]
        known = {"customer_id": customer, "evidence_event_id": "e"}
        self.identity.append(known | {"visitor_id": web, "valid_from": at(day + 0.02)})
        self._session(session(f"sa{key}", app, "app", day + 0.1, ["/home"], day + 0.15), 3, generator)
        if not visit:
            self.identity.append(known | {"visitor_id": app, "valid_from": at(0)})
        self._decision(key, app, customer, day + 0.12, need, generator)
        if generator.random() < 0.4:
            product = {"product": NEEDS[need]}
            kind = {"customer_id": customer, "properties": product}
            self.events.append(event(f"o{key}", app, day + 1, "application_submitted", **kind))

    def _session(self, row: dict[str, Any], need: int, generator: np.random.Generator) -> None:
        self.sessions.append(row)
        self.embeddings.append(np.eye(8)[need] + generator.normal(0, 0.1, 8))

    def _decision(
        self, key: str, app: str, customer: str, day: float, need: int, generator: np.random.Generator
    ) -> None:
        shown = [TILES[place] for place in generator.permutation(4)[:3]]
        appeal = np.array([8.0 if tile == f"t-{NEEDS[need]}" else 1.0 for tile in shown])
        chances = appeal / (appeal.sum() + 1)
        clicked = str(generator.choice(shown, p=appeal / appeal.sum()))
        properties = {"impression_id": f"i{key}", "tiles": shown, "propensities": [0.25] * 3}
        here = {"customer_id": customer}
        self.events.append(event(f"i{key}", app, day, "home_impression", properties=properties, **here))
        chosen = {"properties": {"impression_id": f"i{key}"}, "element": clicked}
        self.events.append(event(f"k{key}", app, day + 0.001, "tile_click", **chosen, **here))
        self.impressions += [
            {
                "impression_id": f"i{key}",
                "tile": tile,
                "position": place,
                "propensity": 0.25,
                "click_probability": chance,
                "needs": [NEEDS[need]],
            }
            for place, (tile, chance) in enumerate(zip(shown, chances.tolist(), strict=True))
        ]

    def write(self, root: Path) -> Workspace:
        """Writes all of it below ``root``, with labels of the web sessions and the truth."""
        workspace = Workspace(root)
        (workspace.events / "day=all").mkdir(parents=True)
        workspace.taxonomy.mkdir(parents=True)
        workspace.truth.mkdir(parents=True)
        write_table(table(self.events, schemas.EVENTS), workspace.events / "day=all" / "events.parquet", schemas.EVENTS)
        write_table(table(self.sessions, schemas.SESSIONS), workspace.sessions, schemas.SESSIONS)
        write_table(table(self.identity, schemas.IDENTITY), workspace.identity, schemas.IDENTITY)
        ids = [row["session_id"] for row in self.sessions]
        embeddings = {
            "session_id": ids,
            "embedding": [vector.astype(np.float32).tolist() for vector in self.embeddings],
            "encoder_version": ["encoder-1"] * len(ids),
        }
        write_table(pa.table(embeddings), workspace.embeddings, schemas.EMBEDDINGS)
        write_table(table(self.labels(), schemas.LABELS), workspace.labels, schemas.LABELS)
        intents = [{"id": need, "name": need.title()} for need in NEEDS]
        taxonomy = {"version": "taxonomy-1", "categories": [{"id": "all", "name": "All", "intents": intents}]}
        workspace.used_taxonomy.write_text(yaml.safe_dump(taxonomy))
        self._write_truth(workspace)
        return workspace

    def labels(self) -> list[dict[str, Any]]:
        """Returns the teacher's labels: the page's own intent, surely."""
        return [
            {
                "session_id": row["session_id"],
                "intents": [row["events"][1]["page"].strip("/")],
                "scores": [0.9],
                "taxonomy_version": "taxonomy-1",
                "model": "offline",
            }
            for row in self.sessions
            if row["channel"] == "web"
        ]

    def _write_truth(self, workspace: Workspace) -> None:
        impressions = pa.Table.from_pylist(self.impressions)
        needs = pa.table({"event_id": list(self.needs), "need": list(self.needs.values())})
        write_table(impressions, workspace.truth / "impressions.parquet", impressions.schema)
        write_table(needs, workspace.truth / "intents.parquet", needs.schema)
        (workspace.data / "demo_bank.json").write_text("{}")
