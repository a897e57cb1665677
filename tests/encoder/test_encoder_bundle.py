"""Saving, loading and embedding with the encoder."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from session_tables import make_pages, make_sessions

from pipelines.encoder import Encoder
from pipelines.encoder.fields import Counted, Field, Flat
from pipelines.encoder.model import SessionEncoder
from pipelines.encoder.shape import Shape
from pipelines.encoder.text import BUNDLED_MODEL, page_texts, text_vectors
from pipelines.encoder.text_table import TextTable
from pipelines.errors import ParamsError, TableError

PAGES = ["/mortgage/rates", "/mortgage/calculator", "/cards/travel"]
VISITS = [[PAGES[0], PAGES[1]], [PAGES[2]], [PAGES[1], PAGES[2], PAGES[0]]]


@pytest.fixture(scope="module", params=["gru", "transformer"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    counted = Counted([Field("page", "token", "page"), Field("path", "words", "path"), Field("text", "text", "page")])
    counted.add(Flat.of(make_sessions(VISITS)))
    fields, texts = counted.fitted(9), TextTable.of(page_texts(make_pages(PAGES)), BUNDLED_MODEL)
    shape = Shape(request.param, "mix", 32, 8, 16, 1, 2, 0.0, texts.vectors.shape[1])
    return Encoder(SessionEncoder(shape, fields, seed=1), shape, fields, texts, BUNDLED_MODEL, max_events=8)


def test_a_loaded_encoder_embeds_as_the_saved_one(encoder: Encoder, tmp_path: Path) -> None:
    saved = encoder.save(tmp_path / "encoder")
    loaded = Encoder.load(tmp_path / "encoder")
    assert loaded.version == saved.version != ""
    sessions, pages = make_sessions(VISITS), make_pages(PAGES)
    assert np.array_equal(loaded.embed(sessions, pages), saved.embed(sessions, pages))


def test_rows_and_the_order_of_the_catalogue_do_not_matter(encoder: Encoder) -> None:
    sessions = make_sessions(VISITS)
    forward = encoder.embed(sessions, make_pages(PAGES))
    backward = encoder.embed(sessions.take([2, 1, 0]), make_pages(PAGES[::-1]))
    assert np.allclose(forward, backward[::-1], atol=1e-5)


def test_a_page_never_seen_is_read_by_its_text(encoder: Encoder) -> None:
    new = ["/home-loan/interest", "/insurance/pets"]
    pages = pa.concat_tables([make_pages(PAGES), make_pages(new)])
    first, second = encoder.embed(make_sessions([[new[0]], [new[1]]]), pages)
    assert not np.allclose(first, second, atol=1e-3)


def test_a_missing_encoder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="pretrain"):
        Encoder.load(tmp_path)


def test_text_vectors_are_unit_length_and_about_meaning() -> None:
    rates, loan, pet = text_vectors(
        ["Mortgage interest rates", "What a home loan costs", "Pet insurance"], BUNDLED_MODEL
    )
    assert np.linalg.norm(rates) == pytest.approx(1, abs=1e-5)
    assert rates @ loan > rates @ pet
    assert text_vectors([], BUNDLED_MODEL).shape == (0, 384)


def test_an_unknown_text_model_is_refused_without_a_download() -> None:
    with pytest.raises(ParamsError, match="text_model"):
        text_vectors(["x"], "no-such/model")


def test_page_texts_fall_back_on_the_path() -> None:
    pages = pa.table({"page": ["/cards/travel_card", "home"], "title": [None, " Home "], "text": ["", "Welcome"]})
    assert page_texts(pages) == ["cards travel card", "Home. Welcome"]
