"""Hostile files through the whole stage: nothing crashes, no row is lost, and every reason is counted."""

import gzip
import json
import random
import tempfile
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingested import JSONL, KEY, conserved, ingest, row

from pipelines.errors import PipelineError, QuarantineError

COLUMNS: Final = {**JSONL["columns"], "title": "title", "properties": "more", "received_ts": "got"}  # type: ignore[dict-item]
SOURCE: Final = {"format": "jsonl", "columns": COLUMNS, "path": "data"}
DEEP: Final = 10_000


def line(number: int, **more: Any) -> bytes:
    return json.dumps(row(number, **more), ensure_ascii=False).encode()


def kinds(number: int) -> dict[str, tuple[bytes, str | None]]:
    """Lines by kind: the bytes of the row of that number, and why it is quarantined (None: it is not, "": no row)."""
    sound = line(number)
    return {
        "sound": (sound, None),
        "carriage return": (sound + b"\r", None),
        "right to left": (line(number, title="‮حساب بنكي‬ שלום"), None),
        "emoji, joined": (line(number, title="👩‍👩‍👧 e\u0301\u2028\u2029\u0085"), None),
        "replacement character": (line(number, title="\ufffd"), None),
        "byte order mark": (b"\xef\xbb\xbf" + sound, None),
        "spaces around": (b" \t" + sound + b"  ", None),
        "nested deeply": (sound[:-1] + b', "more": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", None),
        "long text": (line(number, title="lorem " * 20_000), None),
        "a key twice": (sound[:-1] + b', "url": "/b"}', None),
        "number as id": (line(number, id=10**15 + number), None),
        "huge integer": (sound[:-1] + b', "more": ' + b"9" * 400 + b"}", None),
        "huge real": (sound[:-1] + b', "more": 1e308}', None),
        "no number": (sound[:-1] + b', "more": NaN}', None),  # as many trackers write it
        "cut": (sound[: len(sound) // 2], "invalid_json"),
        "words": (b"ERROR: disk full", "invalid_json"),
        "half a surrogate": (sound[:-1] + b', "title": "\\ud800"}', "invalid_json"),
        "array": (b"[" * DEEP + b"]" * DEEP, "not_an_object"),
        "scalar": (b'"\\u062d"', "not_an_object"),
        "null": (b"null", "not_an_object"),
        "no UTF-8": (sound[:-2] + b'\xff\xfe"}', "bad_encoding"),
        "overlong": (sound[:-2] + b'\xc0\xaf"}', "bad_encoding"),
        "surrogate bytes": (sound[:-2] + b'\xed\xa0\x80"}', "bad_encoding"),
        "nul": (sound[:-2] + b'\0"}', "nul_byte"),
        "only nul": (b"\0", "nul_byte"),
        "before its time": (line(number, at="1970-01-01T00:00:00Z"), "bad_timestamp"),
        "after its time": (line(number, at="9999-12-31T23:59:59Z"), "bad_timestamp"),
        "year 10000": (line(number, at="10000-01-01T00:00:00Z"), "bad_timestamp"),
        "number as time": (line(number, at=1e300), "bad_timestamp"),
        "received in 9999": (line(number, got="9999-01-01"), "bad_received_ts"),
        "no visitor": (line(number, who=""), "missing_visitor_id"),
        "object as visitor": (line(number, who={"a": 1}), "bad_visitor_id"),
        "nothing": (b"", ""),
        "blank": (b" \t\r", ""),
    }


NAMES: Final = tuple(kinds(0))


def packed(content: bytes, packing: str) -> tuple[str, bytes]:
    """The name and bytes of a file that holds ``content``."""
    if packing == "gzip":
        half = len(content) // 2
        return "a.jsonl.gz", gzip.compress(content[:half], 1) + gzip.compress(content[half:], 1) + b"\0" * 512
    if packing == "zip":
        archive = BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("a.jsonl", content)
        return "a.zip", archive.getvalue()
    return "a.jsonl", content


@pytest.fixture(scope="module", autouse=True)
def _key() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKS_ID_KEY", KEY)
        yield


def test_every_kind_of_line_has_its_outcome(tmp_path: Path) -> None:
    check(tmp_path, list(NAMES), "plain", 32 << 20)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=40),
    st.sampled_from(["plain", "gzip", "zip"]),
    st.sampled_from([4096, 32 << 20]),
)
def test_any_mixture_keeps_its_accounts(names: list[str], packing: str, block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        check(Path(root), names, packing, block_bytes)


def check(root: Path, names: list[str], packing: str, block_bytes: int) -> None:
    """Ingests lines of these kinds after a sound one, read in blocks of that size, and compares every outcome."""
    found = [kinds(number)[name] for number, name in enumerate(["sound", *names])]
    name, content = packed(b"\n".join(text for text, _ in found) + b"\n", packing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.ingest.lines.BLOCK_BYTES", block_bytes)
        patch.setattr("pipelines.ingest.files.CHUNK_BYTES", min(block_bytes, 1 << 20))
        run = ingest(root, {name: content}, [SOURCE], bots=False)
    expected = [(number, reason) for number, (_, reason) in enumerate(found, 1) if reason]
    assert run.reasons == expected
    assert run.total["accepted"] == len(run.events) == sum(reason is None for _, reason in found)
    assert run.total["reasons"] == dict(Counter(reason for _, reason in expected))


@pytest.mark.parametrize("packing", ["plain", "gzip"])
def test_noise_loses_no_row(tmp_path: Path, packing: str) -> None:
    draw = random.Random(11)
    for trial in range(6):
        content = bytearray(b"\n".join(line(number) for number in range(60)) + b"\n")
        if packing == "gzip":
            content = bytearray(packed(bytes(content), packing)[1])
        for _ in range(draw.randrange(1, 12)):
            place = draw.randrange(10, len(content))
            content[place : place + draw.randrange(3)] = draw.randbytes(draw.randrange(4))
        files = {"a.jsonl": line(1000) + b"\n", "b.jsonl.gz" if packing == "gzip" else "b.jsonl": bytes(content)}
        run = ingest(tmp_path / str(trial), files, [SOURCE])
        n_rows = run.total["rows_read"]
        assert n_rows >= 1
        if packing == "plain":
            assert n_rows == sum(bool(text.strip()) for text in b"".join(files.values()).split(b"\n"))


def test_very_long_lines_and_bombs(tmp_path: Path) -> None:
    long, longer = line(1, title="a" * (10 << 20)), line(2, title="a" * (17 << 20))
    files = {
        "a.jsonl": b"\n".join([line(0), long, longer, line(3)]),
        "b.jsonl.gz": gzip.compress(b"\0" * (100 << 20), 9),  # a thousand times its size
        "c.jsonl.gz": gzip.compress(b"\n" * (4 << 20) + line(4), 9),
        "d.jsonl": b"",
        "e.jsonl.gz": b"",
        "f.jsonl.gz": gzip.compress(b""),
        "g.jsonl": b"\xef\xbb\xbf",
        "h.jsonl.gz": gzip.compress(b"\n".join(line(number) for number in range(5, 3000)))[:-9],
    }
    run = ingest(tmp_path, files, [SOURCE], bots=False)
    reasons = [(row["file"], row["line"], row["reason"]) for row in run.quarantine]
    assert reasons[:2] == [("data/a.jsonl", 3, "line_too_long"), ("data/b.jsonl.gz", 1, "nul_byte")]
    assert [(name, reason) for name, _, reason in reasons[2:]] == [
        ("data/e.jsonl.gz", "truncated_file"),  # not even a header
        ("data/h.jsonl.gz", "truncated_file"),
    ]
    assert {row["event_id"] for row in run.events} >= {"e0", "e1", "e3", "e4", "e5", "e2000"}


def test_too_many_rejected_rows_leave_the_events_of_the_last_run(tmp_path: Path) -> None:
    before = ingest(tmp_path, {"a.jsonl": line(1)}, [SOURCE])
    events = before.events
    with pytest.raises(QuarantineError, match=r"2 of 4 rows were quarantined .*max_rejected_share"):
        ingest(tmp_path, {"a.jsonl": b"\n".join([line(2), b"{", b"\0", line(3)])}, [SOURCE], max_rejected_share=0.4)
    assert before.events == events
    assert before.reasons == [(2, "invalid_json"), (3, "nul_byte")]
    conserved(before.report)


def test_files_of_nothing_are_refused_with_a_message(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"\n\n", gzip.compress(b""), b"\xef\xbb\xbf\n")):
        with pytest.raises(PipelineError, match="hold no row"):
            ingest(tmp_path / str(number), {"a.jsonl": content}, [SOURCE])
