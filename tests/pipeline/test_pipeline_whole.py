"""The whole pipeline on the tiny profile: same inputs, same bytes; no truth before evaluate; no personal data out."""

import gzip
import json
import shutil
from pathlib import Path

import pytest
from tiny import hashes, run_command, texts

from pipelines import dvcfile
from pipelines.__main__ import STAGES, main
from pipelines.paths import Workspace


@pytest.fixture(scope="module")
def second_run(tiny_bank: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Another run on the same bank, in a folder of another name, whose data/truth came only before evaluate."""
    root = tmp_path_factory.mktemp("second") / "elsewhere" / "a folder"
    shutil.copytree(tiny_bank.root, root)
    shutil.rmtree(root / "data" / "truth")
    for stage in STAGES:
        if stage == "evaluate":
            shutil.copytree(tiny_bank.truth, root / "data" / "truth")
        run_command(stage, root)
    return Workspace(root)


def test_every_output_that_dvc_yaml_names_is_there(tiny_run: Workspace, repository: Path) -> None:
    outs = [out for stage in dvcfile.read(repository / "dvc.yaml") for out in stage.outs]
    assert [out for out in outs if not (tiny_run.root / out).exists()] == []


def test_no_stage_leaves_anything_else(tiny_run: Workspace, repository: Path) -> None:
    outs = [out for stage in dvcfile.read(repository / "dvc.yaml") for out in stage.outs]
    left = [
        path.relative_to(tiny_run.root).as_posix()
        for path in (*tiny_run.artifacts.rglob("*"), *tiny_run.reports.rglob("*"))
        if path.is_file()
    ]
    assert [file for file in left if not any(file == out or file.startswith(f"{out}/") for out in outs)] == []
    assert not list((tiny_run.root / ".staging").glob("*"))


def test_without_truth_the_artifacts_are_the_same(tiny_run: Workspace, second_run: Workspace) -> None:
    assert hashes(second_run.artifacts) == hashes(tiny_run.artifacts)


def test_a_second_run_elsewhere_gives_the_same_metrics_and_reports(tiny_run: Workspace, second_run: Workspace) -> None:
    assert second_run.metrics.read_text(encoding="utf-8") == tiny_run.metrics.read_text(encoding="utf-8")
    assert hashes(second_run.reports) == hashes(tiny_run.reports)


def test_every_stage_says_in_a_few_lines_what_it_did(tiny_run: Workspace) -> None:
    lines = (tiny_run.root / "printed.txt").read_text(encoding="utf-8").splitlines()
    for stage in STAGES:
        assert any(line.startswith(f"{stage}: ") for line in lines), f"{stage} says nothing"
    assert len(lines) <= 10 * len(STAGES)


def test_planted_personal_data_reaches_no_artifact_report_or_message(tiny_run: Workspace) -> None:
    canaries = tiny_run.truth.joinpath("canaries.txt").read_text(encoding="utf-8").splitlines()
    raw = "".join(gzip.decompress(file.read_bytes()).decode("utf-8", "replace") for file in tiny_run.data.rglob("*.gz"))
    assert len([canary for canary in canaries if canary in raw]) >= 5, "a canary that is nowhere cannot be missed"
    for folder in (tiny_run.artifacts, tiny_run.reports, tiny_run.cache):
        for file, text in texts(folder).items():
            leaked = [position for position, canary in enumerate(canaries, 1) if canary in text]
            assert not leaked, f"{folder.name}/{file} holds the canaries on lines {leaked} of data/truth/canaries.txt"
    printed = (tiny_run.root / "printed.txt").read_text(encoding="utf-8")
    assert not [canary for canary in canaries if canary in printed]


def test_planted_personal_data_reach_no_preview_explanation_forgetting_or_refusal(
    tiny_run: Workspace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    canaries = tiny_run.truth.joinpath("canaries.txt").read_text(encoding="utf-8").splitlines()
    raw = sorted(tiny_run.data.rglob("events/*.gz"))
    lines = [
        line for file in raw for line in gzip.decompress(file.read_bytes()).decode("utf-8", "replace").splitlines()
    ]
    planted = [line for line in lines if any(canary in line for canary in canaries)]
    assert len(planted) >= 5
    root = tmp_path / "workspace"
    shutil.copytree(tiny_run.root, root)
    files = {
        "planted.jsonl": "\n".join(planted),
        "broken.jsonl": "\n".join(line[: 2 * len(line) // 3] for line in planted),
        "planted.csv": "ts,visitor_id,title\n" + "\n".join(f"{canary},{canary},{canary}" for canary in canaries),
    }
    for name, text in files.items():
        (root / name).write_text(text + "\n", encoding="utf-8")
    source = "{path: broken.jsonl, format: jsonl, columns: {visitor_id: client.id, ts: sent_at, title: page.url}}"
    runs = [
        (["init", "--input", str(root / "planted.jsonl")], 0),
        (["ingest", "--explain"], 0),
        (["ingest", "--set", f"ingest.sources=[{source}]"], 1),
        (["ingest", "--set", "ingest.sources=[{path: planted.csv, format: csv, columns: {visitor_id: t, ts: ts}}]"], 1),
        (["ingest", "--set", f"ingest.window={json.dumps({'from': canaries[0], 'to': None})}"], 1),
        *((["init", "--input", str(root / name)], None) for name in ("broken.jsonl", "planted.csv")),
        *((["forget", "--customer", canary], 1) for canary in canaries[:2]),
        (["forget", "--hashed", "--visitor", canaries[0]], 1),
        (["rollback", "--set", f"sessionize.gap_seconds={canaries[0]}"], 1),
    ]
    for arguments, expected in runs:
        code = main([arguments[0], "--root", str(root), *arguments[1:]])
        printed = "".join(capfd.readouterr())
        assert expected in (None, code), f"{arguments[0]} left with {code}"
        assert printed
        leaked = [position for position, canary in enumerate(canaries, 1) if canary in printed]
        assert not leaked, f"{' '.join(arguments[:2])} prints the canaries on lines {leaked} of data/truth/canaries.txt"
    for file, text in (texts(root / "artifacts") | texts(root / "reports")).items():
        assert not [canary for canary in canaries if canary in text], file


def test_no_id_of_the_raw_data_reaches_an_artifact(tiny_run: Workspace) -> None:
    """Ids are kept as keyed hashes only."""
    raw_ids: set[str] = set()
    for file in sorted(tiny_run.data.rglob("*.jsonl.gz"))[:3]:
        for line in gzip.decompress(file.read_bytes()).decode("utf-8", "replace").splitlines():
            try:
                event = json.loads(line)
                raw_ids |= {event["client"]["id"], event["user"]["login"]}
            except (ValueError, KeyError, TypeError):
                continue  # a malformed line
    raw_ids = {raw for raw in raw_ids if raw and len(raw) >= 6}
    assert len(raw_ids) > 20
    kept = "\n".join(texts(tiny_run.artifacts).values())
    assert not any(raw in kept for raw in raw_ids)
