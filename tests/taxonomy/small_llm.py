"""The taxonomy stage with a truly running small LLM, killed and resumed through DVC: `make test-llm`.

SmolLM2-135M labels at chance: what is shown is the machinery, never the quality.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from bank_tables import taxonomy_params, workspace

from pipelines import schemas
from pipelines.paths import Workspace
from pipelines.tables import read_table
from pipelines.taxonomy.document import Category, Intent, document
from pipelines.taxonomy.ledger import Ledger

N_KILLS = 3


@pytest.fixture(scope="module")
def api_base(repository: Path) -> Iterator[str]:
    command = [str(repository / ".work/llm/bin/python"), str(repository / "tests/taxonomy/small_llm_server.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


def set_up(made: Workspace, repository: Path, api_base: str) -> None:
    """params.yaml, an approved taxonomy and a dvc.yaml of the one stage."""
    content = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    changes: dict[str, Any] = {
        "model": "openai/smollm2",
        "api_base": api_base,
        "price_per_million_tokens": {"read": 0.1, "written": 0.2},
        "concurrency": 2,
        "n_read": 20,
        "n_label": 24,
        "min_coverage": 0.0,  # chance labels little, and such a model makes no taxonomy: none is asked of it
        "max_other_share": 1.0,
        "timeout_seconds": 600,
        "samples_per_session": 2,
    }
    content["taxonomy"] = taxonomy_params(repository, **changes).model_dump()
    made.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    intents = [
        Intent(id=f"find-{word}", name=f"Find a {word}", description=f"Visitors who look for a {word}.", examples=[],
               keywords=[word])
        for word in ("mortgage", "card", "pension")
    ]  # fmt: skip
    approved = document([Category(id="bank", name="Bank", description="A bank.", intents=intents)], "made-up")
    made.approved_taxonomy.write_text(approved.to_yaml(), encoding="utf-8")
    stage = {
        "cmd": f"{sys.executable} -m pipelines taxonomy",
        "deps": ["artifacts/sessions.parquet", "taxonomy.yaml"],
        "params": ["taxonomy"],
        "outs": ["artifacts/taxonomy"],
    }
    (made.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"taxonomy": stage}}), encoding="utf-8")


def repro(made: Workspace, repository: Path, seconds: float | None = None) -> bool:
    """`dvc repro`, with all its processes killed after some seconds; whether it was."""
    environment = os.environ | {"PYTHONPATH": str(repository), "OPENAI_API_KEY": "none"}
    command = [sys.executable, "-m", "dvc", "repro"]
    process = subprocess.Popen(command, cwd=made.root, env=environment, start_new_session=True)
    try:
        assert process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def tokens(made: Workspace) -> list[int]:
    records = [json.loads(path.read_text()) for path in made.replies.glob("*.json")]
    return [sum(record["tokens"][part] for record in records) for part in (0, 1)]


def labels(made: Workspace) -> list[Any]:
    return [read_table(made.labels, schemas.LABELS).to_pylist(), (made.taxonomy / "second_labels.parquet").read_bytes()]


def test_a_small_llm_labels_through_kills_and_dvc_and_is_paid_once(
    tmp_path: Path, repository: Path, api_base: str
) -> None:
    made = workspace(tmp_path / "w")
    set_up(made, repository, api_base)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=made.root, check=True)
    rng, stored = random.Random(6), [0]
    for _ in range(N_KILLS):
        if not repro(made, repository, rng.uniform(15, 40)):
            break
        time.sleep(1)
        stored.append(len(list(made.replies.glob("*.json"))))
        assert not made.taxonomy.exists()
    assert stored == sorted(stored)
    assert not repro(made, repository)
    ledger = made.llm_ledger.read_text(encoding="utf-8").splitlines()
    calls = [line for line in map(json.loads, ledger) if "call" in line]
    settled = [line for line in map(json.loads, ledger) if "settled" in line]
    assert json.loads(ledger[-1]) == {"finished": True}
    assert [sum(line[name] for line in settled) for name in ("read", "written")] == tokens(made)
    assert not [line for line in settled if "problem" in line]  # the grammar lets nothing else be said
    assert len({line["settled"] for line in settled}) == len(list(made.replies.glob("*.json")))
    assert len(calls) - len(settled) <= N_KILLS * 2  # what was on the wire when a kill came
    known = {"find-mortgage", "find-card", "find-pension", "other"}
    table = read_table(made.labels, schemas.LABELS)
    assert len(table) == 24
    assert {intent for given in table.column("intents").to_pylist() for intent in given} <= known
    assert {score for given in table.column("scores").to_pylist() for score in given} <= {0.5, 1.0}

    first, n_lines = labels(made), len(ledger)
    environment = os.environ | {"PYTHONPATH": str(repository)}
    subprocess.run([sys.executable, "-m", "pipelines", "taxonomy"], cwd=made.root, env=environment, check=True)
    assert labels(made) == first
    assert len(made.llm_ledger.read_text(encoding="utf-8").splitlines()) == n_lines  # all of it was stored
    assert Ledger(made.llm_ledger, 1.0).total.n_calls == 0
