"""The benchmark of sessionize: its events are what they are said to be, and both ways write the same sessions."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import sessionize, sessionize_events
from pipelines import params as params_file
from pipelines import schemas
from pipelines.paths import Workspace
from pipelines.sessionize.stage import run
from pipelines.tables import check_table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("bench"))
    sessionize_events.write_events(20_000, workspace.events)
    return workspace


def test_the_events_have_the_stated_shape_and_are_made_alike_again(made: Workspace, tmp_path: Path) -> None:
    (file,) = check_table(made.events, schemas.EVENTS, sessionize_events.COLUMNS)
    events = pq.read_table(file)
    assert 15_000 < len(events) < 25_000
    assert len(set(events.column("event_id").to_pylist())) == len(events)
    assert len(set(events.column("visitor_id").to_pylist())) == 1_200
    assert np.diff(events.column("ts").cast("int64").to_numpy()).min() >= 0
    sessionize_events.write_events(20_000, tmp_path / "again")
    assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


def test_the_bare_sql_writes_the_sessions_that_we_write(made: Workspace, repository: Path) -> None:
    params = params_file.load(repository / "params.yaml").sessionize
    run(made, params.model_copy(update={"max_duration_seconds": 1e9}), seed=7)
    theirs = pq.read_table(sessionize.run_rival("duckdb", made.root)).sort_by("session_id")
    ours = pq.read_table(made.sessions).sort_by("session_id")
    assert theirs.column_names == ours.column_names
    for name in ("session_id", "visitor_id", "customer_id", "channel", "start_ts", "end_ts", "n_events"):
        assert theirs.column(name).to_pylist() == ours.column(name).to_pylist(), name
    lists = [pc.list_flatten(table.column("events")).to_pylist() for table in (ours, theirs)]
    assert lists[0] == lists[1]
    sizes = pc.list_value_length(ours.column("events")).to_numpy()
    assert 4 < sizes.mean() < 5
    assert sizes.max() > 20 * np.median(sizes)


def test_the_targets_are_judged() -> None:
    row = {"seconds": 1.0, "peak_gb": 1.0, "ratio": 1.0}
    assert sessionize.judged({"ours": row, "duckdb": row | {"ratio": 2.5}})
    assert not sessionize.judged({"ours": row, "duckdb": row | {"ratio": 2.51}})
    assert not sessionize.judged({"ours": row | {"peak_gb": 3.1}, "duckdb": row})
    assert sessionize.judged({"ours": row | {"peak_gb": 3.9}})
    assert not sessionize.judged({"ours": row | {"peak_gb": 4.1}})
