"""The bank's server: lines by day of arrival, with the broken ones among the others."""

import gzip
import json
from collections import Counter
from datetime import date

import pytest

from pipelines.simulate import mailbox
from pipelines.simulate.mailbox import Mailbox
from pipelines.simulate.parcels import Parcel, packed
from pipelines.simulate.record import MS_PER_DAY

FIRST = date(2026, 1, 5)


def parcel(*received_ms: int, sender: str = "a") -> Parcel:
    lines = [json.dumps({"client": {"id": sender}, "sent_at": "", "ms": ms}).encode() + b"\n" for ms in received_ms]
    return packed(list(zip(received_ms, lines, strict=True)), {}, [], Counter())


def contents(box: Mailbox) -> dict[str, list[tuple[int, str]]]:
    found = {}
    for name, compressed in box.files():
        lines = [json.loads(line) for line in gzip.decompress(compressed).splitlines()]
        found[name] = [(line["ms"], line["client"]["id"]) for line in lines]
    return found


@pytest.mark.parametrize("in_memory_bytes", [1, 1 << 23], ids=["in files", "in memory"])
def test_lines_lie_in_the_file_of_their_day_in_order_of_arrival(
    in_memory_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "_IN_MEMORY_BYTES", in_memory_bytes)
    box = Mailbox(FIRST, 4, 7, malformed=0)
    box.put(parcel(50, MS_PER_DAY, 7, 3 * MS_PER_DAY - 1))
    box.put(parcel(7, 8, sender="b"))  # as early as one of the first parcel, and after it
    assert contents(box) == {
        "2026-01-05.jsonl.gz": [(7, "a"), (7, "b"), (8, "b"), (50, "a")],
        "2026-01-06.jsonl.gz": [(MS_PER_DAY, "a")],
        "2026-01-07.jsonl.gz": [(3 * MS_PER_DAY - 1, "a")],
        "2026-01-08.jsonl.gz": [],
    }
    assert box.broken == []


def test_broken_lines_are_noted_by_file_and_line() -> None:
    box = Mailbox(FIRST, 2, 7, malformed=0.5)
    box.put(parcel(*range(10), MS_PER_DAY, MS_PER_DAY + 1))
    days = dict(box.files())
    assert Counter(name for name, _, _ in box.broken) == {"2026-01-05.jsonl.gz": 5, "2026-01-06.jsonl.gz": 1}
    for name, compressed in days.items():
        lines = gzip.decompress(compressed).splitlines()
        places = {line for file, line, _ in box.broken if file == name}
        whole = [json.loads(line)["ms"] for at, line in enumerate(lines, start=1) if at not in places]
        assert whole == (list(range(10)) if name.startswith("2026-01-05") else [MS_PER_DAY, MS_PER_DAY + 1])
