"""The bank's own tracker: how events are written, when they arrive, what goes wrong on the way."""

from collections.abc import Mapping
from datetime import date, timedelta
from json.encoder import encode_basestring as _quoted
from typing import Final, NamedTuple

import numpy as np
import orjson

from pipelines.simulate.behaviour import TrackerNumbers
from pipelines.simulate.content import Page, Screen
from pipelines.simulate.draws import Draws, Purpose, generator
from pipelines.simulate.record import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND, Client, Event

_ID_LETTERS: Final = 16


def event_ids(seed: int, stream: int, n_events: int) -> list[str]:
    """Returns ids of lowercase letters only: a rule that scrubs numbers cannot touch them."""
    letters = generator(seed, Purpose.EVENT_ID, stream).integers(97, 123, size=(n_events, _ID_LETTERS), dtype="uint8")
    text = letters.tobytes().decode("ascii")
    return [text[start : start + _ID_LETTERS] for start in range(0, len(text), _ID_LETTERS)]


class Fate(NamedTuple):
    """What goes wrong with an event on its way; at most one thing."""

    no_id: bool = False
    personal: bool = False
    late: bool = False
    twice: bool = False


UNHARMED: Final = Fate()


class Post:
    """Takes events to the bank's server."""

    def __init__(self, numbers: TrackerNumbers) -> None:
        self._numbers = numbers
        self._fates = (Fate(no_id=True), Fate(personal=True), Fate(late=True), Fate(twice=True), UNHARMED)
        self._bounds = np.cumsum([numbers.no_id, numbers.personal, numbers.late.share, numbers.duplicates])
        self._delays_ms = np.array(numbers.delay_seconds) * MS_PER_SECOND

    def fates(self, n_events: int, generator: np.random.Generator) -> list[Fate]:
        places = np.searchsorted(self._bounds, generator.random(n_events), side="right")
        return [self._fates[place] for place in places.tolist()]

    def delays_ms(self, n_events: int, generator: np.random.Generator) -> list[int]:
        """Returns how long each event is under way: draws between quantiles, as ``Draws.quantile`` makes them."""
        place = generator.random(n_events) * (len(self._delays_ms) - 1)
        lower = place.astype(np.int64)
        rest = (place - lower) * np.diff(self._delays_ms)[lower]
        delays: list[int] = (self._delays_ms[lower] + rest).astype(np.int64).tolist()
        return delays

    def arrivals_ms(self, event: Event, fate: Fate, delay_ms: int, draws: Draws) -> tuple[int, ...]:
        """Returns when the event arrives: once, or twice when it was sent twice; perhaps days late."""
        if fate.late:
            delay_ms += int(draws.quantile(self._numbers.late.hours) * MS_PER_HOUR)
        elif fate.twice:
            again_ms = int(draws.quantile(self._numbers.delay_seconds) * MS_PER_SECOND)
            return event.sent_ms + delay_ms, event.sent_ms + again_ms
        return (event.sent_ms + delay_ms,)


class Writer:
    """Writes events as lines of JSON: nested, without the fields that an event lacks.

    Put together from parts that are encoded once (clients, pages, plain events); a test reads every line back.
    """

    def __init__(self, start: date, n_days: int, numbers: TrackerNumbers) -> None:
        self._minutes = _Minutes(start)
        self._seconds = [f"{second:02d}.{ms:03d}Z" for second in range(60) for ms in range(MS_PER_SECOND)]
        self._renamed_ms = int(n_days * numbers.renamed.after_share) * MS_PER_DAY
        self._search = {False: numbers.renamed.before, True: numbers.renamed.after}
        self._clients: dict[str, str] = {}  # the part of a line that says who sent it, by client
        self._pages: dict[tuple[str, str], str] = {}  # the part that says what it shows, by title and text

    def line(self, event: Event, event_id: str | None, received_ms: int) -> bytes:
        """Returns the event as the tracker writes it."""
        sent_ms, client, name, page, url, _, login, target, props, referrer, query, utm, title = event
        written_id = f'"{event_id}"' if event_id else "null"
        user = f'"user":{{"login":"{login}"}},' if login else ""
        aim = f',"target":{_quoted(target)}' if target else ""
        more = f',"props":{_encode(props)}' if props else ""
        origin = f',"referrer":{_quoted(referrer)}' if referrer else ""
        renamed = received_ms >= self._renamed_ms
        search = f',"search":{{"{self._search[renamed]}":{_quoted(query)}}}' if query else ""
        marks = f',"utm":{_encode(utm)}' if utm else ""
        sent_min, sent_ms = divmod(sent_ms + client.skew_ms, MS_PER_MINUTE)
        received_min, received_ms = divmod(received_ms, MS_PER_MINUTE)
        sender = self._clients.get(client.id) or self._client(client)
        shown = self._pages.get((title or page.title, page.text)) or self._page(page, title)
        return (
            f'{{"id":{written_id},"sent_at":"{self._minutes[sent_min]}{self._seconds[sent_ms]}",'
            f'"received_at":"{self._minutes[received_min]}{self._seconds[received_ms]}",'
            f'{sender},{user}"event":{{"name":"{name}"{aim}{more}}},'
            f'"page":{{"url":{_quoted(url)},{shown}{origin}}}{search}{marks}}}\n'
        ).encode()

    def _client(self, client: Client) -> str:
        said = client.kind.model_dump(include={"ua", "device", "os", "browser"})
        fields = {"platform": client.platform, "client": {"id": client.id, **said, "region": client.region}}
        written = self._clients[client.id] = _encode(fields)[1:-1]
        return written

    def _page(self, page: Page | Screen, title: str | None) -> str:
        key = title or page.title, page.text  # not the path: the website and the app share some
        written = self._pages[key] = _encode({"title": key[0], "description": key[1]})[1:-1]
        return written


class _Minutes(dict[int, str]):
    """The start of a time as written, by minutes since the first day: a day's when asked for, clocks may be off."""

    def __init__(self, start: date) -> None:
        self._start = start
        self._of_day = [f"T{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60)]

    def __missing__(self, minute: int) -> str:
        day = minute // len(self._of_day)
        written = f"{self._start + timedelta(day)}"
        self.update(enumerate([written + time for time in self._of_day], day * len(self._of_day)))
        return self[minute]


def _encode(fields: Mapping[str, object]) -> str:
    return orjson.dumps(fields).decode()
