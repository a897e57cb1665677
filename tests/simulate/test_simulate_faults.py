"""Lines that a tracker's files hold and no reader can use."""

import json

import pytest

from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.faults import Breaker, broken

KINDS = {"cut_short", "bad_time", "no_time", "no_client", "null_client", "no_object", "not_utf8", "plain_text"}


def line(number: int) -> bytes:
    fields = {"id": f"{number:a>16}", "sent_at": "2026-01-05T00:00:00.000Z", "client": {"id": "c"}, "platform": "web"}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def test_broken_copies_are_spread_over_the_files_by_their_share_and_the_kinds_take_turns() -> None:
    breaker = Breaker(0.25, Draws(7, Purpose.FAULT, 1))
    breaks = [breaker.breaks(n_lines) for n_lines in (40, 0, 20)]
    assert [len(found) for found in breaks] == [10, 0, 5]
    assert all(found == sorted(found, key=lambda place: place[0]) for found in breaks)
    assert all(0 <= place < n_lines for n_lines, found in zip((40, 0, 20), breaks, strict=True) for place, _ in found)
    assert {kind for found in breaks for _, kind in found} == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_broken_line_is_one_that_no_reader_can_use(kind: str) -> None:
    text = broken(line(1), kind)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    if kind in {"cut_short", "not_utf8", "plain_text"}:
        with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
            json.loads(text)
    elif kind == "no_object":
        assert not isinstance(json.loads(text), dict)
    else:
        fields = json.loads(text)
        lacks_client = fields["client"].get("id") is None
        assert lacks_client or fields.get("sent_at") in (None, "2026-02-30T25:61:00Z")


def test_none_is_broken_at_share_zero() -> None:
    assert Breaker(0.0, Draws(7, Purpose.FAULT, 1)).breaks(1) == []
