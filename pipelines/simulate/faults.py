"""Lines that a tracker's files hold and no reader can use."""

import json
from collections.abc import Callable
from typing import Any, Final

from pipelines.simulate.draws import Draws


def break_lines(days: list[list[bytes]], share: float, draws: Draws) -> list[tuple[int, int, str]]:
    """Puts broken copies of lines among those of ``days``; returns (day, line, kind) of each, lines counted from 1."""
    broken: list[tuple[int, int, str]] = []
    for day, lines in enumerate(days):
        n_broken = int(len(lines) * share) + draws.chance(len(lines) * share % 1)
        places = sorted(draws.integer(len(lines)) for _ in range(n_broken))
        for n_before, place in enumerate(places):
            kind = list(_BREAKS)[len(broken) % len(_BREAKS)]
            lines.insert(place + n_before, _BREAKS[kind](lines[place + n_before]))
            broken.append((day, place + n_before + 1, kind))
    return broken


def _changed(line: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = json.loads(line)
    change(fields)
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


_BREAKS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut_short": lambda line: line[: len(line) // 2] + b"\n",
    "bad_time": lambda line: _changed(line, lambda fields: fields.update(sent_at="2026-02-30T25:61:00Z")),
    "no_time": lambda line: _changed(line, lambda fields: fields.pop("sent_at")),
    "no_client": lambda line: _changed(line, lambda fields: fields["client"].pop("id")),
    "no_object": lambda line: b"[1,2,3]\n",
    "not_utf8": lambda line: line[:7] + b"\xff\xfe" + line[9:],  # in the id
    "plain_text": lambda line: b"502 Bad Gateway\n",
}
