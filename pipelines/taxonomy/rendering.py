"""A session as the teacher reads it: a short table of events as JSON text, without ids and without markup.

Titles and searches are written by others and may be hostile: here they lose everything but plain words of bounded
length, and they stay string values of a JSON document. Not covered: a plain sentence that asks a model for something
stays readable as such; the prompts say that the table is material, replies are validated against a schema, and a
session decides no other's label. `make redteam` measures what a real model makes of it.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa

MAX_CHARACTERS = 120  # of a title, a search or a path
_REMEMBERED: Final = 100_000  # texts that are cleaned once; of more kinds than that some are cleaned again
_URL = re.compile(r"(?:https?|ftp|data|javascript):\S+", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>?")
_EMAIL = re.compile(r"\S+@\S+")
_NUMBER = re.compile(r"\+?\d(?:[ .\-/]?\d){5,}")  # phone, account and card numbers; years and amounts are shorter
_MARKUP = re.compile(r"[<>{}\[\]`*#\\~^_=|\"]+")
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Characters that Unicode calls letters, marks or symbols and that show nothing."""
_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[0-9])")
_LOOKALIKES = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")  # scripts that borrow each other's shapes

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
    cleaned = _Cleaned()
    columns = (sessions.column(name).to_pylist() for name in ("session_id", "channel", "events"))
    return [
        RenderedSession(session_id, channel, _table(events, channel, titles, cleaned, max_events))
        for session_id, channel, events in zip(*columns, strict=True)
    ]


def clean(text: str | None, max_characters: int = MAX_CHARACTERS) -> str | None:
    """Returns ``text`` as short plain words, or None if nothing is left; cleaning it again changes nothing."""
    if text is None:
        return None
    cleaned, before = text[: 10 * max_characters], None  # what is cut anyway is not worth reading
    while cleaned != before:
        before = cleaned
        for defend in DEFENCES.values():
            cleaned = defend(cleaned, max_characters)
    return cleaned or None


def _composed(text: str, _: int) -> str:
    """Letters in their plain form: a full-width bracket becomes a bracket, which the markup rule then sees."""
    return unicodedata.normalize("NFKC", text)


def _one_line(text: str, _: int) -> str:
    """No line ends, whatever Unicode ends lines with, and no two spaces."""
    return " ".join(text.split())


def _visible(text: str, _: int) -> str:
    """Control characters and all that shows nothing go; words that they split grow together."""
    return "".join(shown for shown in _UNSEEN.sub("", text) if unicodedata.category(shown)[0] != "C")


def _one_script(text: str, _: int) -> str:
    """Words that mix scripts of like shapes go: nobody writes so who does not hide something."""
    return " ".join(word for word in text.split(" ") if len(_scripts(word)) < 2)


def _scripts(word: str) -> set[str]:
    if word.isascii():
        return set()
    names = (unicodedata.name(character, "").partition(" ")[0] for character in word if character.isalpha())
    return {name for name in names if name in _LOOKALIKES}


def _unmarked(text: str, _: int) -> str:
    """Markup, addresses and long numbers go."""
    for pattern in (_TAG, _URL, _EMAIL, _NUMBER, _MARKUP):
        text = pattern.sub(" ", text)
    return text


def _readable(text: str, _: int) -> str:
    """Long tokens that look like base64 or hex go: letters of both cases and digits in turn."""
    return _TOKEN.sub(lambda token: " " if _is_encoded(token[0]) else token[0], text)


def _is_encoded(token: str) -> bool:
    return len(_CHANGE.findall(token)) >= 4


def _short(text: str, max_characters: int) -> str:
    return text if len(text) <= max_characters else text[:max_characters].rsplit(" ", 1)[0]


DEFENCES: dict[str, Callable[[str, int], str]] = {
    "plain forms": _composed,
    "one line": _one_line,
    "nothing unseen": _visible,
    "one script a word": _one_script,
    "no markup": _unmarked,
    "nothing encoded": _readable,
    "length": _short,
}
"""What is done to a text that others wrote, in this order; tests switch them off one by one."""


class _Cleaned:
    """What is shown of texts and pages: many events have few of them, so each is cleaned once."""

    def __init__(self) -> None:
        self.text = lru_cache(_REMEMBERED)(clean)
        self.path = lru_cache(_REMEMBERED)(_path)


def _table(
    events: Sequence[Mapping[str, Any]],
    channel: str,
    titles: Mapping[tuple[str, str], str | None],
    cleaned: _Cleaned,
    max_events: int,
) -> str:
    rows: list[Row] = []
    for step, event in list(enumerate(events, start=1))[-max_events:]:
        dwell_seconds = event["dwell_seconds"]
        row: Row = {
            "step": step,
            "seconds": None if dwell_seconds is None else round(dwell_seconds),
            "type": cleaned.text(event["event_type"]),
            "page": cleaned.path(event["page"]),
            "title": titles.get((channel, event["page"])),
            "search": cleaned.text(event["query"]),
        }
        rows.append({name: value for name, value in row.items() if value is not None})
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _path(page: str | None) -> str | None:
    """The path's words; a template's placeholders for ids say nothing and are left out."""
    if page is None:
        return None
    parts = [clean(part) for part in re.sub(r"[:{<\[]\w+[}>\]]?", "", page).split("/")]
    return "/" + "/".join(part for part in parts if part)
