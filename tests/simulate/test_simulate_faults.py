"""Lines that a tracker's files hold and no reader can use."""

import json

import pytest

from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.faults import Breaker

KINDS = {"cut_short", "bad_time", "no_time", "no_client", "null_client", "no_object", "not_utf8", "plain_text"}


def line(number: int) -> bytes:
    fields = {"id": f"{number:a>16}", "sent_at": "2026-01-05T00:00:00.000Z", "client": {"id": "c"}, "platform": "web"}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def test_broken_lines_lie_between_whole_ones_where_they_are_said_to() -> None:
    whole = [[line(number) for number in range(40)], [], [line(number) for number in range(40, 60)]]
    days = [list(lines) for lines in whole]
    breaker = Breaker(0.25, Draws(7, Purpose.FAULT, 1))
    broken = [breaker.break_lines(lines) for lines in days]
    for lines, before, places in zip(days, whole, broken, strict=True):
        kept = [text for at, text in enumerate(lines, start=1) if at not in dict(places)]
        assert kept == before
        assert all(text.endswith(b"\n") and text.count(b"\n") == 1 for text in lines)
    assert [len(lines) for lines in days] == [50, 0, 25]
    assert {kind for places in broken for _, kind in places} == KINDS


def test_each_kind_of_broken_line_is_one_that_no_reader_can_use() -> None:
    lines = [line(number) for number in range(8)]
    broken = Breaker(1.0, Draws(7, Purpose.FAULT, 1)).break_lines(lines)
    for at, kind in broken:
        text = lines[at - 1]
        if kind in {"cut_short", "not_utf8", "plain_text"}:
            with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
                json.loads(text)
        elif kind == "no_object":
            assert not isinstance(json.loads(text), dict)
        else:
            fields = json.loads(text)
            lacks_client = fields["client"].get("id") is None
            assert lacks_client or fields.get("sent_at") in (None, "2026-02-30T25:61:00Z"), kind
    assert len(broken) == 8


def test_none_is_broken_at_share_zero() -> None:
    lines = [line(1)]
    assert Breaker(0.0, Draws(7, Purpose.FAULT, 1)).break_lines(lines) == []
    assert lines == [line(1)]
