"""A session as the teacher reads it: a short table of events as JSON text, without ids and without markup.

Titles and searches are written by others and may be hostile: here they lose everything but plain words of bounded
length, and they stay string values of a JSON document. Not covered: a plain sentence that asks a model for something
stays readable as such; the prompts say that the table is material, and replies are validated against a schema.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

MAX_CHARACTERS = 120  # of a title, a search or a path
_URL = re.compile(r"(?:https?|ftp|data|javascript):\S+", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>?")
_EMAIL = re.compile(r"\S+@\S+")
_NUMBER = re.compile(r"\+?\d(?:[ .\-/]?\d){5,}")  # phone, account and card numbers; years and amounts are shorter
_MARKUP = re.compile(r"[<>{}\[\]`*#\\~^_=\"]+")

Row = dict[str, str | int | None]


@dataclass(frozen=True)
class RenderedSession:
    """What the teacher may know of a session: ``text``; the id and channel only say which session it is."""

    session_id: str
    channel: str
    text: str  # JSON: a list of rows

    def rows(self) -> list[Row]:
        """Returns the event rows that ``text`` holds."""
        rows: list[Row] = json.loads(self.text)
        return rows


def render(sessions: pa.Table, pages: pa.Table, max_events: int) -> list[RenderedSession]:
    """Returns the rows of ``sessions`` (schemas.SESSIONS) as the teacher reads them, in order.

    Args:
        sessions: what to render.
        pages: schemas.PAGES, for the titles.
        max_events: the last events of a longer session are shown.
    """
    columns = (pages.column(name).to_pylist() for name in ("channel", "page", "title"))
    titles = {(channel, page): clean(title) for channel, page, title in zip(*columns, strict=True)}
    columns = (sessions.column(name).to_pylist() for name in ("session_id", "channel", "events"))
    return [
        RenderedSession(session_id, channel, _table(events, channel, titles, max_events))
        for session_id, channel, events in zip(*columns, strict=True)
    ]


def clean(text: str | None, max_characters: int = MAX_CHARACTERS) -> str | None:
    """Returns ``text`` without control characters, markup, addresses and long numbers, cut; None if nothing is left."""
    if text is None:
        return None
    text = unicodedata.normalize("NFKC", text[: 10 * max_characters])
    text = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    for pattern in (_TAG, _URL, _EMAIL, _NUMBER, _MARKUP):
        text = pattern.sub(" ", text)
    text = " ".join(text.split())
    if len(text) > max_characters:
        text = text[:max_characters].rsplit(" ", 1)[0]
    return text or None


def _table(
    events: Sequence[Mapping[str, Any]], channel: str, titles: Mapping[tuple[str, str], str | None], max_events: int
) -> str:
    rows: list[Row] = []
    for step, event in list(enumerate(events, start=1))[-max_events:]:
        dwell_seconds = event["dwell_seconds"]
        row: Row = {
            "step": step,
            "seconds": None if dwell_seconds is None else round(dwell_seconds),
            "type": clean(event["event_type"]),
            "page": _path(event["page"]),
            "title": titles.get((channel, event["page"])),
            "search": clean(event["query"]),
        }
        rows.append({name: value for name, value in row.items() if value is not None})
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _path(page: str | None) -> str | None:
    """The path's words; a template's placeholders for ids say nothing and are left out."""
    if page is None:
        return None
    parts = [clean(part) for part in re.sub(r"[:{<\[]\w+[}>\]]?", "", page).split("/")]
    return "/" + "/".join(part for part in parts if part)
