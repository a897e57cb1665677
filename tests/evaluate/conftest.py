"""The small world, distilled and evaluated once for all tests that only read it."""

import shutil
from pathlib import Path

import pytest
from evaluate_world import World
from students import distill_params

from pipelines.distill import stage as distill
from pipelines.evaluate import stage as evaluate
from pipelines.params import Conversion, Evaluate, TileRanking
from pipelines.paths import Workspace

DISTILL = distill_params(hidden_dim=16, max_epochs=20)
EVALUATE = Evaluate(
    tile_ranking=TileRanking(
        impression_event="home_impression",
        click_event="tile_click",
        impression_id="impression_id",
        tiles="tiles",
    ),
    conversion=Conversion(event="application_submitted", product="product", horizon_days=3),
    half_life_days=7,
    lookback_days=28,
    l2=[0.1, 10.0, 1000.0],
    n_bootstrap=50,
)


@pytest.fixture(scope="session")
def params() -> Evaluate:
    return EVALUATE


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace where distill and evaluate ran: read it, or copy it; never write in it."""
    workspace = World().write(tmp_path_factory.mktemp("world"))
    distill.run(workspace, DISTILL, 7)
    evaluate.run(workspace, EVALUATE, 7)
    return workspace


@pytest.fixture
def copied(evaluated: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it that a test may spoil."""
    shutil.copytree(evaluated.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")
