"""Sessions as token arrays, by hand."""

import time
import zlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from session_tables import make_pages, make_sessions

from pipelines.encoder import arrays
from pipelines.encoder.arrays import SessionArrays
from pipelines.encoder.fields import MAX_WORDS, Counted, Field, Flat, columns_of, hashed

PAGES = ["/a", "/b/c", "/c"]
ASKED = (
    Field("page", "token", "page"),
    Field("path", "words", "path"),
    Field("text", "text", "page"),
    Field("event_type", "token", "event_type"),
    Field("elapsed", "elapsed", "ts"),
    Field("hour", "hour", "ts"),
    Field("weekday", "weekday", "ts"),
    Field("channel", "token", "channel"),
)
TEXTS = np.arange(8, dtype=np.float32).reshape(4, 2)


def fitted(sessions: pa.Table, max_tokens: int = 9, asked: Sequence[Field] = ASKED) -> tuple[Field, ...]:
    counted = Counted(asked)
    counted.add(Flat.of(sessions))
    return counted.fitted(max_tokens)


def tokenised(sessions: pa.Table, fields: Sequence[Field], max_events: int = 9) -> SessionArrays:
    return arrays.session_arrays(sessions, fields, arrays.page_places(make_pages(PAGES)), TEXTS, max_events)


def crc(value: str) -> int:
    return zlib.crc32(value.encode())


def test_vocabularies_are_hashes_by_frequency_and_constant_fields_are_left_out() -> None:
    fields = fitted(make_sessions([["/b/c", "/a", "/b/c"], ["click:/c"]]), max_tokens=2)
    assert [field.name for field in fields] == ["page", "path", "text", "event_type", "elapsed", "hour"]
    by_name = {field.name: field for field in fields}
    assert by_name["page"].known == (crc("web|/b/c"), min(crc("web|/a"), crc("web|/c")))
    assert by_name["path"].known == (crc("c"), crc("b"))
    assert by_name["path"].width == 2
    assert by_name["event_type"].n_tokens == 4  # nothing and unknown among them
    assert columns_of(fields)["text"] == slice(3, 4)


def test_counting_in_parts_is_counting_at_once() -> None:
    sessions = make_sessions([["/b/c", "/a"], ["click:/c"], ["/a", "/a"]])
    counted = Counted(ASKED)
    for row in range(3):
        counted.add(Flat.of(sessions.slice(row, 1)))
    assert counted.fitted(9) == fitted(sessions)


def test_tokens_of_two_sessions() -> None:
    fields = fitted(make_sessions([["/a", "/b/c", "/a", "/b/c", "/a"], ["click:/a"]], gap_seconds=5))
    inputs = tokenised(make_sessions([["/a", "search:/c"], ["/b/d"]], gap_seconds=5), fields)
    # page, path (two words), text, type, elapsed, hour; elapsed buckets start at 0, 1, 2, 4 seconds
    words = {word: 2 + fields[1].known.index(crc(word)) for word in "abc"}
    expected = [
        [2, words["a"], 0, 1, 2, 0, 10],
        [1, words["c"], 0, 3, 1, 4, 10],  # /c as a page and search are unknown; its word and its text are not
        [1, words["b"], 1, 0, 2, 0, 11],  # a page that is in no catalogue, with a word that is new
    ]
    assert inputs.tokens.tolist() == expected
    assert inputs.offsets.tolist() == [0, 2, 3]


def test_long_sessions_keep_their_end() -> None:
    sessions = make_sessions([["/a", "/b/c", "/c", "/b/c"], ["/a"]])
    fields = fitted(sessions)
    inputs = tokenised(sessions, fields, max_events=2)
    columns = columns_of(fields)
    assert inputs.lengths.tolist() == [2, 1]
    assert inputs.tokens[:, columns["text"].start].tolist() == [3, 2, 1]
    assert inputs.tokens[0, columns["elapsed"].start] > 0  # it followed an event that was cut off, not a silence


def test_batches_pad_on_the_right_and_carry_the_texts_of_their_pages() -> None:
    sessions = make_sessions([["/c", "/a", "/c"], ["/a"], ["/a", "/b/c"], ["/a"] * 5])
    inputs = tokenised(sessions, fitted(sessions))
    assert inputs.text_column is not None
    batch = inputs.batch(np.array([0, 1]))
    assert batch.lengths.tolist() == [3, 1]
    assert batch.tokens.shape == (2, 3, inputs.tokens.shape[1])
    assert not batch.tokens[1, 1:].any()
    assert batch.tokens[..., inputs.text_column].tolist() == [[2, 1, 2], [1, 0, 0]]
    assert batch.texts.tolist() == TEXTS[[0, 1, 3]].tolist()
    without_padding = inputs.batch(np.array([3]))
    assert without_padding.texts.tolist() == TEXTS[[0, 1]].tolist()
    assert [rows.tolist() for rows in inputs.batches(2)] == [[1, 2], [0, 3]]


def test_equal_events_of_a_batch_are_written_once() -> None:
    sessions = make_sessions([["/c", "/a", "/c"], ["/a"], ["/a", "/b/c"]])
    inputs = tokenised(sessions, fitted(sessions))
    assert inputs.text_column is not None
    rows = np.array([0, 1])
    distinct, padded = inputs.distinct(rows), inputs.batch(rows)
    inside = np.arange(3) < distinct.lengths[:, None]
    assert np.array_equal(distinct.events[distinct.places][inside], padded.tokens[inside])
    assert len(distinct.events) == len(np.unique(padded.tokens[inside], axis=0))
    assert distinct.texts.tolist() == padded.texts.tolist()


def test_rows_whose_hashes_collide_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = np.random.default_rng(3).integers(0, 3, (200, 3)).astype(np.int32)
    monkeypatch.setattr(arrays, "_FACTORS", np.array([1, 1, 1]))  # all orders of a row's numbers collide
    first, inverse = arrays.distinct_rows(tokens)
    assert len(first) == 27
    assert np.array_equal(tokens[first][inverse], tokens)


def test_an_event_without_a_page_is_read_all_the_same() -> None:
    row = make_sessions([["/a", "/b/c"]]).to_pylist()[0]
    row["events"][1]["page"] = None
    sessions = pa.Table.from_pylist([row], schema=make_sessions([["/a"]]).schema)
    fields = fitted(sessions, asked=ASKED[:3])
    assert tokenised(sessions, fields).tokens.tolist() == [[2, 2, 1], [0, 0, 0]]


def test_a_page_of_another_channel_is_another_page() -> None:
    rows = make_sessions([["/a"], ["/a"]]).to_pylist()
    rows[1]["channel"] = "app"
    sessions = pa.Table.from_pylist(rows, schema=make_sessions([["/a"]]).schema)
    tokens = tokenised(sessions, fitted(sessions, asked=(*ASKED[:2], ASKED[-1]))).tokens
    assert sorted(tokens[:, 0].tolist()) == [2, 3]
    assert tokens[0, 1] == tokens[1, 1]  # its words are the same


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, []), ("", []), ("/Cards/travel-card_2", ["cards", "travel", "card", "2"]), ("ä b", ["ä", "b"])],
)
def test_words(value: str | None, words: list[str]) -> None:
    assert hashed(value, "words") == [crc(word) for word in words]
    assert len(hashed("w " * 20, "words")) == MAX_WORDS


def test_batches_are_embedded_side_by_side_in_the_order_of_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "n_cores", lambda: 3)
    sessions = make_sessions([["/a"] * (1 + number % 5) for number in range(23)])
    inputs = tokenised(sessions, fitted(sessions))
    found = inputs.embedded(lambda rows: np.stack([rows, inputs.lengths[rows]], axis=1), 4, 2)
    assert found.tolist() == [[number, 1 + number % 5] for number in range(23)]
    assert tokenised(sessions.slice(0, 0), fitted(sessions)).embedded(lambda rows: rows, 4, 2).shape == (0, 2)


def test_a_batch_that_fails_is_said_and_the_rest_is_left() -> None:
    sessions = make_sessions([["/a"]] * 100)
    begun: list[int] = []

    def embed(rows: np.ndarray) -> np.ndarray:
        begun.append(len(rows))
        time.sleep(0.02)
        raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        tokenised(sessions, fitted(sessions)).embedded(embed, 1, 2)
    assert len(begun) < 100


def test_a_part_holds_the_sessions_that_were_asked_for_in_their_order() -> None:
    sessions = make_sessions([["/a"], ["/b/c", "/a", "/c"], ["/c", "/c"], ["/a", "/b/c"]])
    inputs = tokenised(sessions, fitted(sessions))
    part = inputs.part(np.array([3, 1]))
    assert part.lengths.tolist() == [2, 3]
    everyone, some = inputs.batch(np.array([3, 1])), part.batch(np.array([0, 1]))
    assert np.array_equal(some.tokens, everyone.tokens)
    assert len(inputs.part(np.array([], np.int64))) == 0
