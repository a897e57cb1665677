"""Forgetting: nothing of the person stays in any table, nobody else loses a row, and the next ingest keeps them out."""

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from tiny import hashes, run_command, texts, tiny_values

from pipelines import champion
from pipelines.__main__ import main
from pipelines.forget.person import keyed_hash
from pipelines.ingest.ids import DEMO_KEY
from pipelines.paths import Workspace

KEY = "a key of tests, long enough"


@pytest.fixture(scope="module")
def promoted(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run with a champion, an export of ``score``, stored LLM replies and a recording: copy it."""
    root = tmp_path_factory.mktemp("promoted") / "workspace"
    shutil.copytree(tiny_run.root, root)
    workspace = Workspace(root)
    run_command("promote", root)
    run_command("score", root, "--output", str(root / "exports" / "weekly"))
    assert workspace.tokens.exists(), "pretrain keeps sessions as numbers"
    (workspace.audit / "abc" / "plain-7").mkdir(parents=True)
    (workspace.cache / "llm").mkdir(parents=True)
    (workspace.cache / "llm" / "reply.json").write_text("{}", encoding="utf-8")
    return workspace


@pytest.fixture
def workspace(promoted: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(promoted.root, tmp_path / "workspace")
    return Workspace(tmp_path / "workspace")


def somebody(workspace: Workspace) -> str:
    """The login, as the source gave it, with the most visitors."""
    identity = pq.read_table(workspace.identity)
    counted = identity.group_by("customer_id").aggregate([("visitor_id", "count_distinct")])
    hashed = counted.sort_by([("visitor_id_count_distinct", "descending")]).column("customer_id")[0].as_py()
    people = pq.read_table(workspace.truth / "identity.parquet").column("login").to_pylist()
    return next(login for login in people if login and keyed_hash(DEMO_KEY, "customer", login) == hashed)


def with_visitors(workspace: Workspace, login: str) -> set[str]:
    """The keyed hashes of a customer and all their visitors."""
    hashed = keyed_hash(DEMO_KEY, "customer", login)
    identity = pq.read_table(workspace.identity)
    own = identity.filter(pc.equal(identity.column("customer_id"), hashed))
    return {hashed, *own.column("visitor_id").to_pylist()}


def test_no_file_holds_the_person_any_more_and_everybody_else_is_as_before(workspace: Workspace) -> None:
    login = somebody(workspace)
    known = with_visitors(workspace, login)
    assert len(known) > 2
    sessions = pq.read_table(workspace.sessions)
    theirs = pc.is_in(sessions.column("visitor_id"), pa.array(sorted(known)))
    known |= {*sessions.filter(theirs).column("session_id").to_pylist()}
    before = {path: pq.read_table(path) for path in (workspace.sessions, workspace.embeddings, workspace.intents)}
    held = [file for file, text in texts(workspace.root).items() if any(key in text for key in known)]
    assert any(file.startswith("champions/") for file in held)
    assert any(file.startswith("exports/weekly/") for file in held)

    printed = run_command("forget", workspace.root, "--customer", login)

    left = {file: text for file, text in texts(workspace.root).items() if any(key in text for key in known)}
    assert [*left] == ["forgotten.txt"]
    kept = set(pq.read_table(workspace.sessions).column("session_id").to_pylist())
    assert not kept & known
    for path, table in before.items():
        assert pq.read_table(path).equals(table.filter(pc.is_in(table.column("session_id"), pa.array(sorted(kept)))))
    assert f"sessions: {len(sessions) - len(kept):,} of {len(sessions):,} rows removed" in printed
    assert "raw file data/events/" in printed
    assert login not in printed
    assert not any(key in printed for key in known)
    assert not list((workspace.cache / "llm").rglob("*"))
    assert not workspace.tokens.exists()
    assert not workspace.audit.exists()
    champion.current(workspace)  # refuses a bundle that is not as its manifest says


def test_the_next_ingest_leaves_the_person_out_and_counts_the_rows(workspace: Workspace) -> None:
    login = somebody(workspace)
    printed = run_command("forget", workspace.root, "--customer", login)
    events, identity = (pq.read_table(path, partitioning=None) for path in (workspace.events, workspace.identity))
    run_command("ingest", workspace.root)
    run_command("sessionize", workspace.root)
    assert pq.read_table(workspace.events, partitioning=None).equals(events)
    assert pq.read_table(workspace.identity).equals(identity)
    total = json.loads(workspace.ingest_report.read_text(encoding="utf-8"))["total"]
    listed = [line.partition(": ")[2] for line in printed.splitlines() if "raw file " in line]
    assert total["filters"]["forgotten"] > 0
    assert total["filters"]["forgotten"] <= sum(int(line.split(": ")[2].split()[0].replace(",", "")) for line in listed)


def test_a_scored_window_leaves_the_person_out_too(workspace: Workspace) -> None:
    login = somebody(workspace)
    known = with_visitors(workspace, login)
    run_command("forget", workspace.root, "--customer", login)
    run_command("score", workspace.root, "--output", str(workspace.root / "exports" / "again"))
    scored = pq.read_table(sorted((workspace.root / "exports" / "again").rglob("sessions.parquet")), partitioning=None)
    assert len(scored)
    assert not known & {*scored.column("visitor_id").to_pylist(), *scored.column("customer_id").to_pylist()}


def test_a_dry_run_says_the_same_and_changes_nothing(workspace: Workspace) -> None:
    login, before = somebody(workspace), hashes(workspace.root)
    printed = run_command("forget", workspace.root, "--customer", login, "--dry-run")
    assert hashes(workspace.root) == before
    assert "rows would be removed" in printed


def test_one_visitor_goes_by_the_hash_alone(workspace: Workspace) -> None:
    visitor = pq.read_table(workspace.sessions).column("visitor_id")[0].as_py()
    run_command("forget", workspace.root, "--visitor", visitor, "--hashed")
    assert visitor not in pq.read_table(workspace.sessions).column("visitor_id").to_pylist()
    assert f"visitor {visitor} - -\n" in workspace.forgotten.read_text(encoding="utf-8")


def test_who_is_nowhere_is_refused_by_one_message_without_the_id(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hashes(workspace.root)
    assert main(["forget", "--root", str(workspace.root), "--customer", "C-nobody-at-all"]) == 1
    message = capsys.readouterr().err
    assert message.startswith("forget: that customer is in no table or raw file")
    assert "nobody-at-all" not in message
    assert main(["forget", "--root", str(workspace.root), "--visitor", "C-nobody-at-all", "--hashed"]) == 1
    assert "expected 32 hexadecimal digits" in capsys.readouterr().err
    assert hashes(workspace.root) == before


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Two customers on one cookie, the second also on another: ingested and sessionized."""
    monkeypatch.setenv("CLICKS_ID_KEY", KEY)
    rows = [
        ("e0", "shared", None, "2026-01-05T09:00:00Z"),  # before the first login: the first owner's
        ("e1", "shared", "ann", "2026-01-05T10:00:00Z"),
        ("e2", "shared", None, "2026-01-05T12:00:00Z"),
        ("e3", "shared", "bob", "2026-01-05T14:00:00Z"),
        ("e4", "shared", None, "2026-01-05T16:00:00Z"),
        ("e5", "bobs", "bob", "2026-01-05T16:00:00Z"),
        ("e6", "anns", "ann", "2026-01-06T16:00:00Z"),
        ("e7", "anns", None, "2026-01-07T16:00:00Z"),
        ("e8", "nobodys", None, "2026-01-07T16:00:00Z"),
    ]
    fields = ("id", "who", "login", "at")
    (tmp_path / "data").mkdir()
    lines = "".join(json.dumps(dict(zip(fields, row, strict=True))) + "\n" for row in rows)
    (tmp_path / "data" / "events.jsonl").write_text(lines, encoding="utf-8")
    columns = {"event_id": "id", "visitor_id": "who", "customer_id": "login", "ts": "at"}
    values = tiny_values()
    values["ingest"]["sources"] = [{"path": "data/events.jsonl", "format": "jsonl", "columns": columns}]
    values["sessionize"]["split"] |= {"valid_from": "2026-01-06", "test_from": "2026-01-07"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for stage in ("ingest", "sessionize"):
        run_command(stage, tmp_path)
    return Workspace(tmp_path)


def event_ids(workspace: Workspace) -> list[str]:
    return sorted(pq.read_table(workspace.events, partitioning=None).column("event_id").to_pylist())


@pytest.mark.parametrize(
    ("who", "left"),
    [
        (("--customer", "ann"), ["e3", "e4", "e5", "e8"]),
        (("--customer", "bob"), ["e0", "e1", "e2", "e6", "e7", "e8"]),
        (("--visitor", "shared"), ["e5", "e6", "e7", "e8"]),
    ],
)
def test_on_a_shared_visitor_the_other_owners_events_stay_now_and_after_the_next_ingest(
    small: Workspace, who: tuple[str, str], left: list[str]
) -> None:
    printed = run_command("forget", small.root, *who)
    assert event_ids(small) == left
    assert len(pq.read_table(small.sessions)) == len(left)  # an event is a session here
    assert f"raw file data/events.jsonl: {9 - len(left)} rows" in printed
    run_command("ingest", small.root)
    assert event_ids(small) == left
    # Of a later delivery without the login, what lies in the time that was theirs stays out too.
    rows = (small.data / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (small.data / "events.jsonl").write_text("".join(row for row in rows if '"login": null' in row), encoding="utf-8")
    run_command("ingest", small.root)
    assert event_ids(small) == [name for name in left if name in ("e0", "e2", "e4", "e7", "e8")]


def test_without_the_key_only_the_hash_is_taken_and_raw_files_are_said_to_be_unsearched(
    small: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hashed = keyed_hash(KEY.encode(), "customer", "ann")
    monkeypatch.delenv("CLICKS_ID_KEY")
    assert main(["forget", "--root", str(small.root), "--customer", "ann"]) == 1
    assert "CLICKS_ID_KEY is not set" in capsys.readouterr().err
    assert "raw files were not searched" in run_command("forget", small.root, "--customer", hashed, "--hashed")
    assert event_ids(small) == ["e3", "e4", "e5", "e8"]


def test_a_recording_loses_the_sessions_and_its_replies(small: Workspace) -> None:
    folder = small.root / "recorded"
    (folder / "replies").mkdir(parents=True)
    (folder / "replies" / "one.json").write_text("{}", encoding="utf-8")
    sessions = pq.read_table(small.sessions).column("session_id").to_pylist()
    lines = "".join(json.dumps({"session_id": key}) + "\n" for key in sessions)
    (folder / "sample.jsonl").write_text(lines, encoding="utf-8")
    run_command("forget", small.root, "--customer", "ann", "--set", "taxonomy.recording=recorded")
    kept = [json.loads(line)["session_id"] for line in (folder / "sample.jsonl").read_text().splitlines()]
    assert kept == [key for key in sessions if key in pq.read_table(small.sessions).column("session_id").to_pylist()]
    assert len(kept) == 4
    assert not (folder / "replies").exists()


def test_tags_remotes_and_caches_that_may_hold_the_person_are_named_with_what_to_run(small: Workspace) -> None:
    root = small.root
    for arguments in (
        ("init", "--quiet"),
        ("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--allow-empty", "-m", "first"),
        ("tag", "champion/0001"),
        ("remote", "add", "origin", "https://git.example/bank.git"),
    ):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    (root / ".dvc" / "cache" / "files" / "md5").mkdir(parents=True)
    (root / ".dvc" / "cache" / "files" / "md5" / "00").write_text("x", encoding="utf-8")
    config = "['remote \"store\"']\n    url = s3://user:secret@bucket/clicks\n"
    (root / ".dvc" / "config").write_text(config, encoding="utf-8")
    printed = run_command("forget", root, "--customer", "ann")
    for expected in (
        "git tags champion/0001",
        "git remote `origin`",
        "DVC cache: 1 objects",
        "dvc gc --workspace --cloud",
    ):
        assert expected in printed
    assert "secret" not in printed
