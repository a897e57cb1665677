"""Lines that a tracker's files hold and no reader can use."""

import json
from collections.abc import Callable
from typing import Any, Final

from pipelines.simulate.draws import Draws


class Breaker:
    """Puts broken copies of lines among the others, file after file; the kinds take turns."""

    def __init__(self, share: float, draws: Draws) -> None:
        self._share, self._draws = share, draws
        self._n_broken = 0

    def breaks(self, n_lines: int) -> list[tuple[int, str]]:
        """Returns, for a file of ``n_lines``, before which lines a broken copy comes, in order, and of which kind."""
        expected = n_lines * self._share
        n_here = int(expected) + self._draws.chance(expected % 1)
        places = sorted(self._draws.integer(n_lines) for _ in range(n_here))
        first, self._n_broken = self._n_broken, self._n_broken + n_here
        return [(place, _KINDS[number % len(_KINDS)]) for number, place in enumerate(places, first)]


def broken(line: bytes, kind: str) -> bytes:
    """Returns a copy of ``line`` that is broken in that way."""
    return _BREAKS[kind](line)


def _changed(line: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = json.loads(line)
    change(fields)
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


_BREAKS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut_short": lambda line: line[: len(line) // 2] + b"\n",
    "bad_time": lambda line: _changed(line, lambda fields: fields.update(sent_at="2026-02-30T25:61:00Z")),
    "no_time": lambda line: _changed(line, lambda fields: fields.pop("sent_at")),
    "no_client": lambda line: _changed(line, lambda fields: fields["client"].pop("id")),
    "null_client": lambda line: _changed(line, lambda fields: fields["client"].update(id=None)),
    "no_object": lambda line: b"[1,2,3]\n",
    "not_utf8": lambda line: line[:9] + b"\xff\xfe" + line[11:],  # in the id
    "plain_text": lambda line: b"502 Bad Gateway\n",
}
_KINDS: Final = list(_BREAKS)
