"""The bank's own tracker: how events are written, when they arrive, what goes wrong on the way."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from pipelines.simulate.behaviour import TrackerNumbers
from pipelines.simulate.draws import Draws, Purpose, generator
from pipelines.simulate.record import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, Client, Event

_ID_LETTERS = 16
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Arrival(NamedTuple):
    """An event reaching the bank's server; an event that was sent twice arrives twice."""

    received_ms: int
    event: int  # position in the list of events


def event_ids(seed: int, n_events: int) -> list[str]:
    """Returns ids of lowercase letters only: a rule that scrubs numbers cannot touch them."""
    letters = generator(seed, Purpose.EVENT_ID).integers(97, 123, size=(n_events, _ID_LETTERS), dtype="uint8")
    text = letters.tobytes().decode("ascii")
    return [text[start : start + _ID_LETTERS] for start in range(0, len(text), _ID_LETTERS)]


def arrivals(events: Sequence[Event], numbers: TrackerNumbers, n_days: int, seed: int) -> list[Arrival]:
    """Returns what arrives before the last day ends, in order of arrival."""
    draws = Draws(seed, Purpose.ARRIVAL)
    arrived = []
    for position, event in enumerate(events):
        for _ in range(2 if draws.chance(numbers.duplicates) else 1):
            delay_ms = draws.quantile(numbers.delay_seconds) * MS_PER_SECOND
            if draws.chance(numbers.late.share):
                delay_ms += draws.quantile(numbers.late.hours) * MS_PER_HOUR
            arrived.append(Arrival(event.sent_ms + int(delay_ms), position))
    kept = [arrival for arrival in arrived if arrival.received_ms < n_days * MS_PER_DAY]
    return sorted(kept)


class Writer:
    """Writes events as lines of JSON."""

    def __init__(self, start: date) -> None:
        self._start = start
        self._clients: dict[str, str] = {}  # the part of a line that says who sent it, by client

    def time(self, ms: int) -> str:
        days, ms = divmod(ms, MS_PER_DAY)
        minutes, ms = divmod(ms, MS_PER_MINUTE)
        day = self._start + timedelta(days=days)
        return f"{day}T{minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d}.{ms % 1000:03d}Z"

    def line(self, event: Event, event_id: str, received_ms: int) -> bytes:
        """Returns the event as the tracker writes it: nested, and without the fields that it lacks."""
        fields = {
            "user": _present(login=event.login),
            "event": _present(name=event.name, target=event.target, props=event.props),
            "page": _present(url=event.url, title=event.title, description=event.text, referrer=event.referrer),
            "search": _present(q=event.query),
            "utm": event.utm,
        }
        rest = _encode({name: value for name, value in fields.items() if value})
        times = f'"sent_at":"{self.time(event.sent_ms)}","received_at":"{self.time(received_ms)}"'
        return f'{{"id":"{event_id}",{times},{self._client(event.client)},{rest[1:]}\n'.encode()

    def _client(self, client: Client) -> str:
        if client.id not in self._clients:
            said = client.kind.model_dump(include={"ua", "device", "os", "browser"})
            fields = {"platform": client.platform, "client": {"id": client.id, **said, "region": client.region}}
            self._clients[client.id] = _encode(fields)[1:-1]
        return self._clients[client.id]


def _present(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
