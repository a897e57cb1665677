"""Each audit finds what it is for, and a failed one keeps the former encoder."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from session_tables import make_pages, make_sessions

from pipelines.errors import AuditError
from pipelines.params import Audits, validate
from pipelines.pretrain import audits
from pipelines.pretrain.audits import collapse, leakage, order, padding
from pipelines.pretrain.audits.subject import Subject

PAGES = [f"/page-{number}" for number in range(6)]
N_SESSIONS = 900


class Reads:
    """Stands for an encoder: a session's page counts, and what a fault adds."""

    def __init__(self, of_padding: float = 0, of_course: float = 0) -> None:
        self.of_padding, self.of_course = of_padding, of_course

    def embed(self, sessions: pa.Table, pages: pa.Table) -> np.ndarray:
        visits = [[PAGES.index(event["page"]) for event in events] for events in sessions.column("events").to_pylist()]
        longest = max(len(visit) for visit in visits)
        counts = np.array([np.bincount(visit, minlength=6) for visit in visits], dtype=float)
        course = [sum(place * (step + 1) for step, place in enumerate(visit)) for visit in visits]
        counts[:, 0] += self.of_course * np.array(course)
        return counts + self.of_padding * longest


@pytest.fixture(scope="module")
def sessions() -> pa.Table:
    draw = np.random.default_rng(0)
    visits = [[PAGES[place] for place in draw.integers(0, 6, size=draw.integers(1, 9))] for _ in range(N_SESSIONS)]
    return make_sessions(visits)


def subject(sessions: pa.Table, encoder: Any = None, **changed: Any) -> Subject:
    encoder, pages = encoder or Reads(), make_pages(PAGES)
    plain = Subject(encoder, sessions, pages, encoder.embed(sessions, pages), traits={}, seed=0)
    return replace(plain, **changed)


def test_padding_that_counts_is_found(sessions: pa.Table) -> None:
    assert padding.measure(subject(sessions)) == {"padding_difference": 0}
    assert padding.measure(subject(sessions, Reads(of_padding=0.5)))["padding_difference"] == 0.5 * 7  # 8 events, not 1


def test_collapse_by_hand(sessions: pa.Table) -> None:
    corners = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    found = collapse.measure(subject(sessions, embeddings=np.tile(corners, (250, 1))))
    assert found["effective_rank"] == pytest.approx(2)
    assert found["least_deviation"] == pytest.approx(1)
    near, right, opposite = 1, np.exp(-4), np.exp(-8)  # squared distances 0, 2, 4: of 999 others 249, 500, 250
    assert found["uniformity"] == pytest.approx(np.log((249 * near + 500 * right + 250 * opposite) / 999))
    line = collapse.measure(subject(sessions, embeddings=np.outer(np.arange(100.0), [1, 2, 0])))
    assert line["effective_rank"] == pytest.approx(1)
    assert line["least_deviation"] == 0
    point = collapse.measure(subject(sessions, embeddings=np.ones((50, 3))))
    assert (point["effective_rank"], point["uniformity"]) == (1, 0)


def test_an_encoder_that_ignores_the_course_does_not_move(sessions: pa.Table) -> None:
    assert order.measure(subject(sessions)) == {"order_sensitivity": 0}
    assert order.measure(subject(sessions, Reads(of_course=0.1)))["order_sensitivity"] > 0.1
    assert order.measure(subject(sessions.slice(0, 5))) == {}


def test_an_embedding_that_betrays_the_device_is_found(sessions: pa.Table) -> None:
    devices = np.random.default_rng(1).choice(["phone", "desktop"], N_SESSIONS).astype(object)
    honest = subject(sessions, traits={"device": devices})
    assert abs(leakage.measure(honest)["device_leakage"]) < 0.05
    told = np.concatenate([honest.embeddings, (devices == "phone")[:, None]], axis=1)
    found = leakage.measure(replace(honest, embeddings=told))
    assert found["device_auroc"] > 0.95
    assert found["device_leakage"] > 0.4
    few = replace(honest, traits={"device": np.where(np.arange(N_SESSIONS) < 300, devices, None)})
    assert leakage.measure(few) == {}


def test_an_embedding_that_betrays_the_visitor_is_found() -> None:
    draw = np.random.default_rng(2)
    many = make_sessions([[PAGES[place] for place in draw.integers(0, 6, size=4)] for _ in range(900)])
    owner = draw.permutation(np.repeat(np.arange(450), 2))
    visitors = pa.array([f"visitor-{number}" for number in owner])
    many = many.set_column(many.schema.get_field_index("visitor_id"), many.schema.field("visitor_id"), visitors)
    honest = subject(many)
    assert abs(leakage.measure(honest)["visitor_leakage"]) < 0.06
    identity = draw.normal(size=(450, 3))[owner]
    found = leakage.measure(replace(honest, embeddings=np.concatenate([honest.embeddings, identity], axis=1)))
    assert found["visitor_leakage"] > 0.2


def test_what_is_beyond_a_limit_is_named_with_it(tiny_params: dict[str, Any]) -> None:
    limits: Audits = validate(tiny_params, "tiny").pretrain.audits
    figures = {"collapse": {"effective_rank": 9.0}, "leakage": {"device_auroc": 0.9, "device_leakage": 0.01}}
    audits.insist(figures, limits)
    figures["leakage"]["device_leakage"] = 0.3
    figures["collapse"]["effective_rank"] = 1.1
    with pytest.raises(AuditError) as refused:
        audits.insist(figures, limits)
    assert "collapse.effective_rank is 1.1; pretrain.audits.min_effective_rank is" in str(refused.value)
    assert "leakage.device_leakage is 0.3; pretrain.audits.max_leakage is" in str(refused.value)
    assert "device_auroc" not in str(refused.value)


def test_figures_are_written_to_the_digits_that_another_run_repeats(tmp_path: Path) -> None:
    figures = {"padding": {"padding_difference": 4.7123e-7}, "leakage": {"device_auroc": 2 / 3, "device_leakage": 0.0}}
    audits.write(figures, tmp_path / "encoder.json")
    assert json.loads((tmp_path / "encoder.json").read_text()) == {
        "padding": {"padding_difference": 4.7e-7},
        "leakage": {"device_auroc": 0.6667, "device_leakage": 0.0},
    }
