"""Sessions as token arrays, by hand."""

import numpy as np
from session_tables import make_pages, make_sessions

from pipelines.encoder import arrays
from pipelines.encoder.arrays import Vocabulary

PAGES = ["/a", "/b", "/c"]


def test_vocabulary_is_by_frequency_then_name() -> None:
    vocabulary = Vocabulary.of(make_sessions([["/b", "/a", "/b"], ["click:/c"]]), max_pages=2)
    assert vocabulary.pages == ("web|/b", "web|/a")
    assert vocabulary.event_types == ("page_view", "click")
    assert vocabulary.n_pages == 4  # and padding, and unknown


def test_tokens_of_two_sessions() -> None:
    sessions = make_sessions([["/a", "click:/c"], ["/b"]], gap_seconds=5)
    vocabulary = Vocabulary(("web|/a", "web|/b"), ("page_view",))
    inputs = arrays.session_arrays(sessions, vocabulary, arrays.page_keys(make_pages(PAGES)), max_events=8)
    # page, text, type, elapsed, hour, weekday, channel; elapsed buckets start at 0, 1, 2, 4 seconds
    expected = [
        [2, 1, 2, 0, 10, 1, 1],
        [1, 3, 1, 4, 10, 1, 1],  # /c and click are not in the vocabulary
        [3, 2, 2, 0, 11, 1, 1],
    ]
    assert inputs.tokens.tolist() == expected
    assert inputs.offsets.tolist() == [0, 2, 3]


def test_long_sessions_keep_their_end() -> None:
    sessions = make_sessions([["/a", "/b", "/c", "/b"], ["/a"]])
    vocabulary = Vocabulary.of(sessions, max_pages=9)
    catalogue = arrays.page_keys(make_pages(PAGES))
    inputs = arrays.session_arrays(sessions, vocabulary, catalogue, max_events=2)
    assert inputs.lengths.tolist() == [2, 1]
    assert inputs.tokens[:, arrays.TEXT].tolist() == [3, 2, 1]
    assert inputs.tokens[0, arrays.ELAPSED] > 0  # it followed an event that was cut off, not a silence


def test_batches_pad_on_the_right_and_cover_every_session_once() -> None:
    sessions = make_sessions([["/a"] * length for length in (3, 1, 2, 5)])
    vocabulary = Vocabulary.of(sessions, max_pages=9)
    inputs = arrays.session_arrays(sessions, vocabulary, arrays.page_keys(make_pages(PAGES)), max_events=9)
    batch = inputs.batch(np.array([0, 1]))
    assert batch.lengths.tolist() == [3, 1]
    assert batch.tokens.shape == (2, 3, len(arrays.FIELDS))
    assert batch.tokens[1, 1:].eq(arrays.PADDING).all()
    batches = [rows.tolist() for rows in inputs.batches(2)]
    assert batches == [[1, 2], [0, 3]]


def test_an_event_without_a_page_is_read_all_the_same() -> None:
    sessions = make_sessions([["/a", "/b"]])
    row = sessions.to_pylist()[0]
    row["events"][1]["page"] = None
    without = type(sessions).from_pylist([row], schema=sessions.schema)
    vocabulary = Vocabulary.of(without, max_pages=9)
    assert vocabulary.pages == ("web|/a",)
    inputs = arrays.session_arrays(without, vocabulary, arrays.page_keys(make_pages(PAGES)), max_events=9)
    assert inputs.tokens[1, [arrays.PAGE, arrays.TEXT]].tolist() == [arrays.UNKNOWN, arrays.PADDING]
