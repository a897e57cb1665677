"""Banking77: real questions to a bank, each as a session of one search, and the intent that people gave it.

Data: PolyAI's Banking77 (Casanueva et al. 2020, arXiv 2003.04807; CC BY 4.0), as banking77/train.csv and test.csv in
the folder of real data: 10,003 and 3,080 questions, 77 intents.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines import schemas
from pipelines.taxonomy.quoting import Quotable, quotable
from pipelines.taxonomy.rendering import RenderedSession, render
from pipelines.taxonomy.words import search_key


@dataclass(frozen=True)
class Questions:
    """N questions of one part."""

    sessions: list[RenderedSession]
    texts: list[str]  # as the teacher reads them
    intents: np.ndarray  # (N,), names as the data have them

    def __len__(self) -> int:
        return len(self.sessions)

    def may_be_quoted(self, min_visitors: int) -> Quotable:
        """Returns what ``min_visitors`` ask; each question is a visitor's."""
        visitors = {session.session_id: session.session_id for session in self.sessions}
        return quotable(self.sessions, visitors, min_visitors)


def read_questions(folder: Path, part: str) -> Questions:
    """Returns the questions of ``part``, train or test, in the order of the file."""
    with (folder / f"{part}.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    events = [{"event_type": "search", "page": "/search", "query": row["text"]} for row in rows]
    table = [
        {"session_id": f"{part}-{number:05}", "channel": "web", "events": [event]}
        for number, event in enumerate(events)
    ]
    known = pa.schema([schemas.SESSIONS.field(name) for name in ("session_id", "channel", "events")])
    sessions = render(pa.Table.from_pylist(table, schema=known), schemas.PAGES.empty_table(), max_events=1)
    texts = [search_key(session.rows()[0]) or "" for session in sessions]
    return Questions(sessions, texts, np.array([row["category"] for row in rows]))


def in_words(intent: str) -> str:
    """Returns an intent's name as people write it."""
    return intent.replace("_", " ").strip(" ?").capitalize()
