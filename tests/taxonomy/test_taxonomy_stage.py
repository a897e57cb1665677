"""The stage as a whole, offline and with an LLM on loopback."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from bank_tables import embeddings, sessions, taxonomy_params, truth, workspace
from llm_server import Answer, Handler, analyst, completion, failure, serving

from pipelines import params, schemas
from pipelines.errors import TableError, TeacherError
from pipelines.paths import Workspace
from pipelines.record import stage as record_command
from pipelines.tables import read_table, write_table
from pipelines.taxonomy.document import NOTHING_APPROVED
from pipelines.taxonomy.stage import run


def hashes(made: Workspace) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(made.taxonomy.iterdir())}


def labels(made: Workspace) -> dict[str, list[str]]:
    table = read_table(made.labels, schemas.LABELS)
    return dict(zip(table.column("session_id").to_pylist(), table.column("intents").to_pylist(), strict=True))


FREE = {"price_per_million_tokens": {"read": 0.0, "written": 0.0}}


def record(made: Workspace, repository: Path, **changes: Any) -> None:
    """`python -m pipelines record --output recorded` with these params."""
    block = {"seed": 7, "taxonomy": taxonomy_params(repository, **changes)}
    everything = params.load(repository / "params.yaml").model_copy(update=block)
    record_command.run(made, everything, made.root / "recorded")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-secret")


def test_it_writes_a_taxonomy_labels_of_all_splits_a_second_labelling_and_a_report(
    tmp_path: Path, repository: Path
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    taxonomy = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    report = json.loads(made.taxonomy_report.read_text(encoding="utf-8"))
    known = {intent["id"] for category in taxonomy["categories"] for intent in category["intents"]}
    for name in (made.labels.name, made.second_labels.name):
        table = read_table(made.taxonomy / name, schemas.LABELS)
        assert {intent for given in table.column("intents").to_pylist() for intent in given} <= known
        assert all(0 < score <= 1 for given in table.column("scores").to_pylist() for score in given)
        assert set(table.column("taxonomy_version").to_pylist()) == {taxonomy["version"]}
    assert len(labels(made)) == report["n_labelled"] == 120
    assert report["by_split"] == {"test": 30, "train": 60, "valid": 30}
    assert report["second_labelling"]["n_sessions"] == 30
    n_bare = sum(truth(int(session[6:])) == "none" for session in labels(made))
    assert report["nothing_share"] == pytest.approx(n_bare / 120, abs=1e-6)
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
    record(made, repository)
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
        "other",
        *(intent["id"] for intent in edited["categories"][0]["intents"]),
    }


def test_a_run_with_an_llm_is_recorded_and_replayed_without_it(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = workspace(tmp_path / "w")
    with serving(analyst) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "n_label": 80, **FREE}
        run(made, taxonomy_params(repository, **asked), seed=7)
    first = hashes(made)
    n_calls = len(server.requests)
    printed = capsys.readouterr().out
    assert f"; {n_calls} calls, " in printed
    assert f"{server.read:,} tokens read, {server.written:,} written, 0.0000 USD" in printed
    by_purpose = Counter(request["response_format"]["json_schema"]["name"] for request in server.requests)
    assert by_purpose["Summaries"] == 3  # 60 read in threes of 20
    assert by_purpose["ProposedTaxonomy"] == 2  # written from their summaries, and reviewed
    messages = [request["messages"][1]["content"] for request in server.requests]
    asked_of = [(text, request["temperature"]) for text, request in zip(messages, server.requests, strict=True)]
    assert len(set(asked_of)) == len(asked_of)  # sessions that show the same are asked about once
    prompts = json.dumps(server.requests)
    assert "5e551d" not in prompts
    assert "visitor-" not in prompts
    found = labels(made)
    named = {intent for given in found.values() for intent in given}
    assert named == {"find-mortgage", "find-card", "other"}  # no "winner": no support
    assert all(given == ["find-card"] for session, given in found.items() if truth(int(session[6:])) == "card")
    assert all(given == ["other"] for session, given in found.items() if truth(int(session[6:])) == "retire")

    record(made, repository, **asked)
    assert len(list((made.root / "recorded" / "replies").iterdir())) == n_calls
    replayed = {**asked, "recording": "recorded", "replay": True}
    shutil.rmtree(made.cache)
    shutil.rmtree(made.taxonomy)
    write_table(embeddings(240, seed=99), made.embeddings, schemas.EMBEDDINGS)
    run(made, taxonomy_params(repository, **replayed), seed=8)  # the server is down
    assert hashes(made) == first
    assert not made.cache.exists()
    with pytest.raises(TeacherError, match="is recorded already"):
        record(made, repository, **replayed)
    with pytest.raises(TeacherError, match="recorded holds something"):
        record(made, repository, **asked)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    with serving(analyst) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "n_label": 40, "concurrency": 3, **FREE}
        run(made, taxonomy_params(repository, **asked), seed=7)
    whole, n_calls = hashes(made), len(server.requests)
    shutil.rmtree(made.cache)
    with serving(*[analyst] * 30, failure(401)) as broken, pytest.raises(TeacherError, match="API key"):
        run(made, taxonomy_params(repository, **{**asked, "api_base": broken.api_base}), seed=7)
    stored = len(list(made.replies.iterdir()))
    assert stored == 30
    again = {**asked, "api_base": broken.api_base}
    port = int(broken.api_base.split(":")[2].split("/")[0])
    with serving(analyst, port=port) as server:
        run(made, taxonomy_params(repository, **again), seed=7)
    assert len(server.requests) == n_calls - stored
    assert hashes(made) == whole


def test_a_dry_run_calls_nobody_writes_nothing_and_comes_near_what_the_run_then_uses(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = workspace(tmp_path / "w")
    with serving(analyst) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "n_label": 80}
        run(made, taxonomy_params(repository, **asked), seed=7, dry_run=True)
        assert "price of openai/made-up is unknown" in capsys.readouterr().out
        priced = taxonomy_params(repository, **asked, price_per_million_tokens={"read": 1.0, "written": 2.0})
        run(made, priced, seed=7, dry_run=True)
        before = capsys.readouterr().out
        assert not server.requests
        assert not made.taxonomy.exists()
        assert not made.cache.exists()
        run(made, priced, seed=7)
        capsys.readouterr()
        run(made, priced, seed=7, dry_run=True)
    *_, total, verdict = before.splitlines()
    n_assumed = int(total.split()[1])
    assert n_assumed == pytest.approx(len(server.requests), rel=0.5)  # a dropped intent changes every later request
    assert verdict == "taxonomy.budget_usd is 5.00: enough"
    after = capsys.readouterr().out.splitlines()[-2].split()
    assert after[:2] == ["total", "0"]
    run(made, taxonomy_params(repository), seed=7, dry_run=True)
    assert "the offline teacher is free" in capsys.readouterr().out


def test_several_samples_make_soft_scores(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")

    def torn(handler: Handler, request: dict[str, Any]) -> None:
        """Names the card every other time that it is asked about the same."""
        content = request["messages"][1]["content"]
        with handler.server_state.lock:
            seen = sum(earlier["messages"][1]["content"] == content for earlier in handler.server_state.requests)
        if "Credit cards" in content.partition('"session"')[2] and request["temperature"] and seen % 2 == 0:
            completion('{"intents": []}')(handler, request)
        else:
            analyst(handler, request)

    with serving(torn) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "samples_per_session": 2, "n_label": 40}
        run(made, taxonomy_params(repository, **asked, **FREE), seed=7)
    assert {request["temperature"] for request in server.requests} == {0.0, 0.7}
    assert len(list(made.replies.iterdir())) == len(server.requests)
    table = read_table(made.labels, schemas.LABELS)
    scores = {
        (intent, score)
        for intents, given in zip(table.column("intents").to_pylist(), table.column("scores").to_pylist(), strict=True)
        for intent, score in zip(intents, given, strict=True)
    }
    assert {score for intent, score in scores if intent == "find-card"} == {0.5}
    assert {score for intent, score in scores if intent == "find-mortgage"} == {1.0}


def test_few_sessions_without_a_usable_answer_are_left_out_and_many_are_refused(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = workspace(tmp_path / "w")

    def inventing(*pages: str) -> Answer:
        def answer(handler: Handler, request: dict[str, Any]) -> None:
            shown = request["messages"][1]["content"].partition('"session"')[2]
            if any(f'"{page}"' in shown for page in pages):
                completion('{"intents": ["winner"]}')(handler, request)
            else:
                analyst(handler, request)

        return answer

    asked = {"model": "openai/made-up", "n_label": 80, **FREE}
    few = r"no usable answer for \d+ of \d+ sessions.*not one of the values"
    with serving(inventing("/home-loans", "/cards")) as server, pytest.raises(TeacherError, match=few):
        run(made, taxonomy_params(repository, **asked, api_base=server.api_base), seed=7)
    changed = sessions(240).to_pylist()
    changed[1]["events"][0]["query"] = "strange"
    write_table(pa.Table.from_pylist(changed, schema=schemas.SESSIONS), made.sessions, schemas.SESSIONS)
    with serving(inventing("strange")) as server:
        asked |= {"api_base": server.api_base, "n_read": 240, "n_label": 240}
        run(made, taxonomy_params(repository, **asked), seed=7)
    assert "; 1 sessions got no usable answer; " in capsys.readouterr().out
    assert len(labels(made)) == 239


def test_replay_with_nothing_recorded_is_refused_and_leaves_the_former_outputs(
    tmp_path: Path, repository: Path
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    before = hashes(made)
    for changes, message in (
        ({"model": "openai/made-up", "replay": True}, "is on and no reply"),
        ({"replay": True, "recording": "nowhere"}, r"nowhere/ holds no sample\.jsonl"),
    ):
        with pytest.raises(TeacherError, match=message):
            run(made, taxonomy_params(repository, **changes), seed=7)
    assert hashes(made) == before


def test_a_recording_of_other_sessions_is_refused(tmp_path: Path, repository: Path) -> None:
    made = workspace(tmp_path / "w")
    recorded = taxonomy_params(repository, recording="recorded")
    record(made, repository)
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


def test_where_no_taxonomy_can_be_proposed_the_labels_by_the_approved_one_are_kept(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    first = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    made.approved_taxonomy.write_text(yaml.safe_dump({**first, "categories": first["categories"][1:]}))
    run(made, taxonomy_params(repository, min_coverage=1.0, min_sessions=1000, stability_seeds=2), seed=7)
    assert not made.proposed_taxonomy.exists()
    assert len(read_table(made.labels, schemas.LABELS))
    assert not made.remade.exists()
    assert "less than taxonomy.min_coverage (100.0%), but none of" in made.taxonomy_diff_page.read_text("utf-8")
    assert "WARNING: no other taxonomy is proposed" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["ProposedTaxonomy", "the labels by it"])
def test_an_llm_that_can_make_no_other_taxonomy_costs_no_label_of_the_approved_one(
    tmp_path: Path, repository: Path, broken: str
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    first = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    made.approved_taxonomy.write_text(yaml.safe_dump({**first, "categories": first["categories"][1:]}))

    def weak(handler: Handler, request: dict[str, Any]) -> None:
        asked = request["response_format"]["json_schema"]["name"]
        by_proposal = "find-mortgage" in request["messages"][1]["content"]
        if asked == broken or (broken == "the labels by it" and by_proposal):
            completion("{}")(handler, request)
        elif asked in ("Summaries", "ProposedTaxonomy") or by_proposal:
            analyst(handler, request)
        else:
            completion('{"intents": []}')(handler, request)

    with serving(weak) as server:
        asked = {"model": "openai/made-up", "api_base": server.api_base, "n_label": 40, "stability_seeds": 2, **FREE}
        run(made, taxonomy_params(repository, **asked), seed=7)
    assert not made.proposed_taxonomy.exists()
    assert not made.remade.exists()
    assert len(read_table(made.labels, schemas.LABELS)) == 40
    assert "gave no usable" in made.taxonomy_diff_page.read_text(encoding="utf-8")


def test_a_taxonomy_that_no_longer_covers_enough_stays_in_use_and_another_is_proposed(
    tmp_path: Path, repository: Path
) -> None:
    made = workspace(tmp_path / "w")
    run(made, taxonomy_params(repository), seed=7)
    assert "nothing is approved yet" in made.taxonomy_diff_page.read_text(encoding="utf-8")
    first = yaml.safe_load(made.used_taxonomy.read_text(encoding="utf-8"))
    lacking = {**first, "categories": first["categories"][1:]}
    made.approved_taxonomy.write_text(yaml.safe_dump(lacking), encoding="utf-8")
    run(made, taxonomy_params(repository, min_coverage=0.0, max_other_share=1.0), seed=7)
    assert not made.proposed_taxonomy.exists()
    assert "still fits" in made.taxonomy_diff_page.read_text(encoding="utf-8")
    run(made, taxonomy_params(repository, min_coverage=0.0, max_other_share=0.05), seed=7)
    used, proposed = (
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in (made.used_taxonomy, made.proposed_taxonomy)
    )
    ids = [
        {intent["id"] for category in one["categories"] for intent in category["intents"]} for one in (used, proposed)
    ]
    assert ids[0] < ids[1]  # what was approved keeps its ids
    assert proposed["parent_version"] == used["version"]
    diff = json.loads(made.taxonomy_diff.read_text(encoding="utf-8"))
    assert "no intent covers" in diff["why"]
    assert {change["kind"] for change in diff["changes"]} == {"kept", "added"}
    assert 0 < diff["churn"] < 1
    page = made.taxonomy_diff_page.read_text(encoding="utf-8")
    assert "New intents" in page
    assert "machinery" in page
