"""CSV of a customer: renamed and missing columns, bad dates, broken rows, other delimiters and zones."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingested import ingest

from pipelines.errors import SourceError
from pipelines.ingest import lines
from pipelines.ingest.formats.csv import Records

SOURCE = {
    "path": "data/*.csv",
    "format": "csv",
    "columns": {"visitor_id": "Cookie ID", "ts": "When", "url": "Seite", "title": "Titel", "campaign": "Kampagne"},
    "timestamp_format": "%d.%m.%Y %H:%M:%S",
    "timezone": "Europe/Berlin",
}
HEADER = "Cookie ID,When,Seite,Titel\r\n"


def test_a_customers_csv_with_every_fault_goes_in_conserved_and_each_fault_is_named(tmp_path: Path) -> None:
    content = (
        "\ufeff" + HEADER + 'c1,05.01.2026 10:00:00,https://b.example/Konto/?q=1,"Konto, ""mein"""\r\n'
        "c1,31.02.2026 10:00:00,/a,T\r\n"
        "\r\n"
        'c2,05.07.2026 10:00:00,/b,"two\r\nlines"\r\n'
        "c3,,/b,T\r\n"
        ",05.01.2026 10:00:00,/b,T\r\n"
        "c4,05.01.2026 10:00:00\r\n"
        'c5,05.01.2026 10:00:00,/c,"a quote nobody closed\r\n'
        "c6,05.01.2026 10:00:00,/c,T\r\n"
        'c7,05.01.2026 10:00:00,/c,"broken last'
    )
    run = ingest(tmp_path, {"a.csv": content}, [SOURCE])
    assert run.reasons == [
        (3, "bad_timestamp"),
        (7, "missing_ts"),
        (8, "missing_visitor_id"),
        (9, "wrong_number_of_columns"),
        (10, "unterminated_quote"),
        (12, "unterminated_quote"),
    ]
    found = sorted((event["ts"], event["page"], event["title"]) for event in run.events)
    assert found == [
        (datetime(2026, 1, 5, 9, tzinfo=UTC), "/c", "T"),
        (datetime(2026, 1, 5, 9, tzinfo=UTC), "/konto", 'Konto, "mein"'),
        (datetime(2026, 7, 5, 8, tzinfo=UTC), "/b", "two\r\nlines"),  # summer time
    ]
    assert {event["campaign"] for event in run.events} == {None}
    assert run.report["sources"][0]["missing_columns"] == {"data/a.csv": ["Kampagne"]}
    assert {(event["channel"], event["event_type"]) for event in run.events} == {("web", "page_view")}


def test_bytes_that_are_no_text_cost_their_own_line_only(tmp_path: Path) -> None:
    good = b"c1,05.01.2026 10:00:00,/a,fine\n"
    content = (
        HEADER.encode() + good + b'c2,05.01.2026 10:00:01,/a,"\xff\n' + b"c3,05.01.2026 10:00:02,/\0,x\n" + good[:-1]
    )
    run = ingest(
        tmp_path,
        {"a.csv": content.replace(b"c1,05.01.2026 10:00:00,/a,fine", b"c1,05.01.2026 10:00:00,/a,fine", 1)},
        [SOURCE],
    )
    assert run.reasons == [(3, "bad_encoding"), (4, "nul_byte")]
    assert run.total["accepted"] + run.total["duplicates"] == 2


def test_another_delimiter_and_constants(tmp_path: Path) -> None:
    source = {
        "path": "data/a.csv",
        "format": "csv",
        "delimiter": ";",
        "columns": {"visitor_id": "id", "ts": "t"},
        "constants": {"channel": "app", "event_type": "screen_view", "region": "North"},
        "timestamp_format": "epoch_ms",
    }
    (event,) = ingest(tmp_path, {"a.csv": "id;t\nx;1767607200123\n"}, [source]).events
    assert (event["channel"], event["event_type"], event["region"]) == ("app", "screen_view", "North")
    assert event["ts"] == datetime(2026, 1, 5, 10, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize("column", ["Cookie ID", "When"])
def test_a_header_without_visitor_or_time_is_refused_with_the_columns_found(tmp_path: Path, column: str) -> None:
    with pytest.raises(SourceError, match=f"`{column}`.*is missing; found columns .*Seite, Titel"):
        ingest(tmp_path, {"a.csv": HEADER.replace(column, "Other")}, [SOURCE])


def test_a_file_without_a_header_does_not_have_its_first_row_shown(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refused:
        ingest(tmp_path, {"a.csv": "joan,05.01.2026 10:00:00,/a,T\n"}, [SOURCE])
    assert "joan" not in str(refused.value)
    assert "looks like data" in str(refused.value)


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Seite more than once"):
        ingest(tmp_path, {"a.csv": "Cookie ID,When,Seite,Seite\n"}, [SOURCE])


def test_an_empty_file_beside_a_full_one_is_no_fault(tmp_path: Path) -> None:
    run = ingest(tmp_path, {"a.csv": "", "b.csv": HEADER + "c1,05.01.2026 10:00:00,/a,T\n"}, [SOURCE])
    assert run.total["rows_read"] == run.total["accepted"] == 1


def parsed(text: str, block_lines: int) -> tuple[list[int], list[list[str]], list[tuple[int, str, str]]]:
    """All records of ``text``, handed over in blocks of so many lines."""
    records = Records(",")
    texts = text.split("\n")
    numbers, rows, broken = [], [], []
    for start in range(0, len(texts), block_lines):
        block = lines.Block(start + 1, texts[start : start + block_lines])
        more = records.add(block, is_last=start + block_lines >= len(texts))
        for all_of, new in zip((numbers, rows, broken), more, strict=True):
            all_of.extend(new)
    return numbers, rows, broken


FIELD = st.text(st.sampled_from('ab",\n é'), max_size=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD, FIELD), min_size=1, max_size=12), st.integers(1, 5))
def test_well_formed_records_come_back_whatever_the_blocks(rows: list[tuple[str, str, str]], block_lines: int) -> None:
    quoted = [",".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows]
    numbers, found, broken = parsed("\n".join(quoted), block_lines)
    assert [tuple(row) for row in found] == rows
    assert broken == []
    starts = [1 + sum(text.count("\n") + 1 for text in quoted[:position]) for position in range(len(rows))]
    assert numbers == starts


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a,b,c", 'a,"b', '"a"",b,c', "a", 'a,"b,x"y,"', 'a,"x,y",c', ""]), min_size=1, max_size=20
    )
)
def test_broken_lines_are_counted_the_same_whatever_the_blocks(texts: list[str]) -> None:
    whole = parsed("\n".join(["h,i,j", *texts]), 100)
    assert parsed("\n".join(["h,i,j", *texts]), 3) == whole
    n_sound = texts.count("a,b,c")
    assert sum(row == ["a", "b", "c"] for row in whole[1]) == n_sound, "a broken line took a sound one with it"
