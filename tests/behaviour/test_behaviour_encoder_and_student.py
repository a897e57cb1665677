"""How the trained models behave: what must not matter does not, what must matter does, and names beat chance."""

import copy
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import v_measure_score
from tiny import Rows

from pipelines import schemas
from pipelines.encoder import Encoder
from pipelines.paths import Workspace
from pipelines.tables import read_table

N_SESSIONS = 60


@pytest.fixture(scope="module")
def encoder(tiny_run: Workspace) -> Encoder:
    return Encoder.load(tiny_run.encoder)


@pytest.fixture(scope="module")
def pages(tiny_run: Workspace) -> pa.Table:
    return read_table(tiny_run.pages, schemas.PAGES)


@pytest.fixture(scope="module")
def sessions(tiny_run: Workspace) -> Rows:
    """Web sessions of several pages."""
    table = read_table(tiny_run.sessions, schemas.SESSIONS)
    wanted = pc.and_(pc.equal(table.column("channel"), "web"), pc.greater_equal(table.column("n_events"), 4))
    return table.filter(wanted).slice(0, N_SESSIONS).to_pylist()


def embedded(encoder: Encoder, sessions: Rows, pages: pa.Table) -> np.ndarray:
    return encoder.embed(pa.Table.from_pylist(sessions, schema=schemas.SESSIONS), pages)


def changed(sessions: Rows, change: Callable[[dict[str, Any]], None]) -> Rows:
    copies = copy.deepcopy(sessions)
    for session in copies:
        change(session)
    return copies


def cosine(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of each row of (N, D) with the same row of the other: (N,)."""
    dot = (left * right).sum(axis=1)
    return np.asarray(dot / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1))


def test_who_visits_does_not_matter(encoder: Encoder, sessions: Rows, pages: pa.Table) -> None:
    def rename(session: dict[str, Any]) -> None:
        session.update(session_id=session["session_id"][::-1], visitor_id="somebody", customer_id="else")

    np.testing.assert_array_equal(
        embedded(encoder, changed(sessions, rename), pages), embedded(encoder, sessions, pages)
    )


def test_the_company_in_which_a_session_is_embedded_does_not_matter(
    encoder: Encoder, sessions: Rows, pages: pa.Table
) -> None:
    alone = np.concatenate([embedded(encoder, [session], pages) for session in sessions[:8]])
    np.testing.assert_allclose(alone, embedded(encoder, sessions, pages)[:8], atol=1e-5)


def test_the_order_of_the_pages_matters(encoder: Encoder, sessions: Rows, pages: pa.Table) -> None:
    def reverse(session: dict[str, Any]) -> None:
        seen = [event["page"] for event in session["events"]]
        for event, page in zip(session["events"], reversed(seen), strict=True):
            event["page"] = page

    turned = changed(sessions, reverse)
    other = [after["events"] != before["events"] for after, before in zip(turned, sessions, strict=True)]
    distances = np.abs(embedded(encoder, turned, pages) - embedded(encoder, sessions, pages)).max(axis=1)
    assert sum(other) > N_SESSIONS / 2
    assert (distances[other] > 1e-3).mean() > 0.95


def test_a_new_page_is_understood_by_its_text(encoder: Encoder, sessions: Rows, pages: pa.Table) -> None:
    """A page that training never saw, with the text of one it did, is taken for that one rather than for another."""
    rows = {row["page"]: row for row in pages.to_pylist() if row["channel"] == "web"}
    last = sorted({session["events"][-1]["page"] for session in sessions})
    others = dict(zip(last, last[len(last) // 2 :] + last[: len(last) // 2], strict=True))
    new = pa.Table.from_pylist(
        [{**rows[page], "page": f"/new{page}"} for page in last]
        + [{**rows[others[page]], "page": f"/other{page}"} for page in last],
        schema=schemas.PAGES,
    )
    catalogue = pa.concat_tables([pages, new])

    def ending(prefix: str) -> np.ndarray:
        def end(session: dict[str, Any]) -> None:
            session["events"][-1]["page"] = prefix + session["events"][-1]["page"]

        return embedded(encoder, changed(sessions, end), catalogue)

    known = embedded(encoder, sessions, catalogue)
    assert (cosine(ending("/new"), known) > cosine(ending("/other"), known)).mean() > 0.7


def test_the_students_names_know_the_true_needs_better_than_chance(tiny_run: Workspace) -> None:
    """On test sessions, against the same names dealt out at random."""
    needs_and_names = f"""
        with visited as (
            select s.session_id, mode(t.need) as need
            from read_parquet('{tiny_run.events}/*/*.parquet', hive_partitioning = false) e
            join read_parquet('{tiny_run.truth}/intents.parquet') t using (event_id)
            join read_parquet('{tiny_run.sessions}') s
                on s.visitor_id = e.visitor_id and e.ts between s.start_ts and s.end_ts
            where s.split = 'test' and s.channel = 'web'
            group by s.session_id
        )
        select need, list_position(probabilities, list_max(probabilities)) as named
        from visited join read_parquet('{tiny_run.intents}') using (session_id) order by session_id
    """
    with duckdb.connect() as warehouse:
        pairs = warehouse.execute(needs_and_names).fetchall()
    needs, named = [pair[0] for pair in pairs], np.array([pair[1] for pair in pairs])
    random = np.random.default_rng(0)
    chance = [v_measure_score(needs, random.permutation(named)) for _ in range(50)]
    assert len(pairs) > 50
    assert v_measure_score(needs, named) > max(chance) + 0.02
