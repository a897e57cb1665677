import json

from pipelines.simulate import faults
from pipelines.simulate.draws import Draws, Purpose

KINDS = {"cut_short", "bad_time", "no_time", "no_client", "no_object", "not_utf8", "plain_text"}


def line(number: int) -> bytes:
    fields = {"id": f"{number:a>16}", "sent_at": "2026-01-05T00:00:00.000Z", "client": {"id": "c"}, "platform": "web"}
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def test_broken_lines_lie_between_whole_ones_where_they_are_said_to() -> None:
    whole = [[line(number) for number in range(40)], [], [line(number) for number in range(40, 60)]]
    days = [list(lines) for lines in whole]
    broken = faults.break_lines(days, 0.25, Draws(7, Purpose.FAULT, 1))
    places = {(day, number) for day, number, _ in broken}
    kept = [
        [text for at, text in enumerate(lines, start=1) if (day, at) not in places] for day, lines in enumerate(days)
    ]
    assert kept == whole
    assert [len(lines) for lines in days] == [50, 0, 25]
    assert {kind for *_, kind in broken} == KINDS
    assert all(text.endswith(b"\n") and text.count(b"\n") == 1 for lines in days for text in lines)


def test_none_is_broken_at_share_zero() -> None:
    days = [[line(1)]]
    assert faults.break_lines(days, 0.0, Draws(7, Purpose.FAULT, 1)) == []
    assert days == [[line(1)]]
