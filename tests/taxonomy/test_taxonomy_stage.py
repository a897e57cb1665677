"""The stage as a whole, offline and with an LLM on loopback."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml
from bank_tables import embeddings, taxonomy_params, truth, workspace
from llm_server import analyst, serving

from pipelines import schemas
from pipelines.errors import TableError, TeacherError
from pipelines.paths import Workspace
from pipelines.tables import read_table, write_table
from pipelines.taxonomy.document import NOTHING_APPROVED
from pipelines.taxonomy.stage import REPORT, SECOND_LABELS, run


def hashes(made: Workspace) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(made.taxonomy.iterdir())}


def labels(made: Workspace) -> dict[str, list[str]]:
    table = read_table(made.labels, schemas.LABELS)
    return dict(zip(table.column("session_id").to_pylist(), table.column("intents").to_pylist(), strict=True))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-secret")


def test_it_writes_a_taxonomy_labels_of_all_splits_a_second_labelling_and_a_report(
    tmp_path: Path, repository: Path
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    taxonomy = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    report = json.loads((made.taxonomy / REPORT).read_text(encoding="utf-8"))
    known = {intent["id"] for category in taxonomy["categories"] for intent in category["intents"]}
    for name in (made.labels.name, SECOND_LABELS):
        table = read_table(made.taxonomy / name, schemas.LABELS)
        assert {intent for given in table.column("intents").to_pylist() for intent in given} <= known
        assert all(0 < score <= 1 for given in table.column("scores").to_pylist() for score in given)
        assert set(table.column("taxonomy_version").to_pylist()) == {taxonomy["version"]}
    assert len(labels(made)) == report["n_labelled"] == 120
    assert report["by_split"] == {"test": 30, "train": 60, "valid": 30}
    assert report["n_labelled_twice"] == 30
    n_bare = sum(truth(int(session[6:])) == "none" for session in labels(made))
    assert report["unlabelled_share"] == pytest.approx(n_bare / 120, abs=1e-6)
    assert made.approved_taxonomy.read_text(encoding="utf-8") == NOTHING_APPROVED


def test_the_same_inputs_and_seed_give_the_same_bytes(tmp_path: Path, repository: Path) -> None:
    first, again = workspace(tmp_path / "a"), workspace(tmp_path / "b")
    for made in (first, again, again):
        run(made, taxonomy_params(repository), seed=7)
    assert hashes(first) == hashes(again)


def test_with_the_sample_fixed_labels_do_not_change_when_embeddings_become_noise(
    tmp_path: Path, repository: Path
) -> None:
    made = workspace(tmp_path / "w")
    recorded = taxonomy_params(repository, recording="recorded")
    run(made, taxonomy_params(repository), seed=7)
    unrecorded = hashes(made)
    run(made, recorded, seed=7)
    assert hashes(made) == unrecorded
    write_table(embeddings(240, seed=99), made.embeddings, schemas.EMBEDDINGS)
    run(made, recorded, seed=8)
    assert hashes(made) == unrecorded
    run(made, taxonomy_params(repository), seed=7)
    assert hashes(made) != unrecorded  # the embeddings decide who is drawn, and that alone


def test_an_approved_taxonomy_is_used_as_it_is(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    generated = made.used_taxonomy.read_text(encoding="utf-8")
    edited = yaml.safe_load(generated)
    edited["categories"] = edited["categories"][:1]
    made.approved_taxonomy.write_text(yaml.safe_dump(edited), encoding="utf-8")
    run(made, taxonomy_params(repository), seed=7)
    used = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    assert used["categories"] == edited["categories"]
    assert used["parent_version"] == edited["version"] != used["version"]
    assert {intent for given in labels(made).values() for intent in given} == {
        intent["id"] for intent in edited["categories"][0]["intents"]
    }


def test_a_run_with_an_llm_is_recorded_and_replayed_without_it(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = workspace(tmp_path / "w")
    with serving(analyst) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "recording": "recorded", "n_label": 80}
        run(made, taxonomy_params(repository, **asked), seed=7)
        assert f"{len(server.requests)} calls, 0 stored replies, 0.0000 USD" in capsys.readouterr().out
    first = hashes(made)
    n_calls = len(server.requests)
    assert n_calls == 3 + 3 + 4 + 1  # 60 read in threes of 20 (written, then labelled), 80 labelled, 20 of test again
    prompts = json.dumps(server.requests)
    assert "5e551d" not in prompts
    assert "visitor-" not in prompts
    found = labels(made)
    assert {intent for given in found.values() for intent in given} == {
        "find-mortgage",
        "find-card",
    }  # no "winner": no support
    assert all(given == ["find-card"] for session, given in found.items() if truth(int(session[6:])) == "card")

    write_table(embeddings(240, seed=99), made.embeddings, schemas.EMBEDDINGS)
    shutil.rmtree(made.taxonomy)
    run(made, taxonomy_params(repository, **asked, replay=True), seed=8)  # the server is down
    assert hashes(made) == first
    assert f"0 calls, {n_calls} stored replies" in capsys.readouterr().out


def test_several_samples_make_soft_scores(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    with serving(analyst) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "samples_per_session": 2, "n_label": 40}
        run(made, taxonomy_params(repository, **asked), seed=7)
    assert {request["temperature"] for request in server.requests} == {0.0, 0.7}
    assert len(list((made.cache / "llm").iterdir())) == len(server.requests) == 3 + 3 + 2 * 2 + 1
    scores = read_table(made.labels, schemas.LABELS).column("scores").to_pylist()
    assert {score for given in scores for score in given} == {1.0}  # this LLM always agrees with itself


def test_replay_with_nothing_recorded_is_refused_and_leaves_the_former_outputs(
    tmp_path: Path, repository: Path
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    before = hashes(made)
    for changes, message in (
        ({"model": "openai/made-up", "replay": True}, "holds no reply"),
        ({"replay": True, "recording": "nowhere"}, r"nowhere/ holds no sample\.jsonl"),
    ):
        with pytest.raises(TeacherError, match=message):
            run(made, taxonomy_params(repository, **changes), seed=7)
    assert hashes(made) == before


def test_a_recording_of_other_sessions_is_refused(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    recorded = taxonomy_params(repository, recording="recorded")
    run(made, recorded, seed=7)
    sample = made.root / "recorded" / "sample.jsonl"
    good = sample.read_text(encoding="utf-8")
    for text, message in (
        (good.replace("5e551d", "unknown"), "are not in sessions.parquet"),
        (good.replace('"uses":["label","second"]', '"uses":["read"]'), "not in the train split"),
        (good + "{}\n", r"sample\.jsonl, line \d+: not a recorded session"),
        ("", "holds no session to read"),
    ):
        sample.write_text(text, encoding="utf-8")
        with pytest.raises(TeacherError, match=message):
            run(made, recorded, seed=7)


def test_missing_embeddings_and_an_empty_training_part_are_refused(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    write_table(embeddings(239, seed=1), made.embeddings, schemas.EMBEDDINGS)
    with pytest.raises(TableError, match="lacks 1 of the 240 sessions"):
        run(made, taxonomy_params(repository), seed=7)
    sessions = read_table(made.sessions, schemas.SESSIONS)
    write_table(sessions.slice(120), made.sessions, schemas.SESSIONS)
    with pytest.raises(TableError, match="no session is in the training part"):
        run(made, taxonomy_params(repository), seed=7)
