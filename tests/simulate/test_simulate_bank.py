"""The bank that the stage writes, read back as its readers would."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines import params as params_file
from pipelines.errors import SourceError
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.simulate import folder, stage
from pipelines.simulate.content import NO_NEED, world

REPOSITORY = Path(__file__).parents[2]
N_PEOPLE, N_DAYS = 150, 21
NAMES = {"page_view", "search", "click", "login"} | {"home_impression", "tile_click"}
NAMES |= {"application_started", "application_submitted"}


def params_of(*overrides: str) -> Params:
    return params_file.load(REPOSITORY / "params.yaml", [f"simulate.days={N_DAYS}", *overrides])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("bank"))
    stage.run(workspace, params_of(f"simulate.people={N_PEOPLE}"))
    return workspace


def files(workspace: Workspace) -> list[Path]:
    return sorted((workspace.data / "events").iterdir())


@pytest.fixture(scope="module")
def lines(workspace: Workspace) -> list[dict[str, Any]]:
    """Every line that is not one of the broken ones, in order of arrival."""
    broken = {(row["file"], row["line"]) for row in truth(workspace, "malformed")}
    return [
        json.loads(line)
        for file in files(workspace)
        for number, line in enumerate(gzip.decompress(file.read_bytes()).splitlines(), start=1)
        if (file.name, number) not in broken
    ]


@pytest.fixture(scope="module")
def events(lines: list[dict[str, Any]], workspace: Workspace) -> list[dict[str, Any]]:
    """What people did, once each, in order of time."""
    machines = {row["client_id"] for row in truth(workspace, "bots")}
    once = {line["id"]: line for line in lines if line["client"]["id"] not in machines}
    return sorted(once.values(), key=lambda event: event["sent_at"])


def truth(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(workspace.truth / f"{name}.parquet").to_pylist()
    return rows


def snapshot(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()}


def test_one_file_a_day_and_a_manifest_of_their_hashes(workspace: Workspace) -> None:
    manifest = json.loads((workspace.data / "demo_bank.json").read_text(encoding="utf-8"))
    found = {f"events/{file.name}": sha256(file.read_bytes()).hexdigest() for file in files(workspace)}
    assert manifest["files"] == found
    assert len(found) == N_DAYS
    assert files(workspace)[0].name == "2026-01-05.jsonl.gz"


def test_a_line_has_the_documented_fields_and_no_null(lines: list[dict[str, Any]]) -> None:
    allowed = {
        "client": {"id", "ua", "device", "os", "browser", "region"},
        "user": {"login"},
        "event": {"name", "target", "props"},
        "page": {"url", "title", "description", "referrer"},
        "search": {"q"},
        "utm": {"source", "medium", "campaign"},
    }
    for line in lines:
        assert {"id", "sent_at", "received_at", "platform", "client", "event", "page"} <= set(line)
        assert set(line) <= {"id", "sent_at", "received_at", "platform", *allowed}
        for block in allowed.keys() & line.keys():
            assert set(line[block]) <= allowed[block]
            assert None not in line[block].values()
        assert line["event"]["name"] in NAMES
        assert re.fullmatch("[a-z]{16}", line["id"])
    assert {line["event"]["name"] for line in lines} == NAMES


def test_files_hold_events_by_day_and_order_of_arrival(workspace: Workspace, lines: list[dict[str, Any]]) -> None:
    arrivals = [line["received_at"] for line in lines]
    assert arrivals == sorted(arrivals)
    for file in files(workspace):
        times = re.findall(rb'"received_at":"(\d{4}-\d\d-\d\d)', gzip.decompress(file.read_bytes()))
        assert {day.decode() for day in times} == {file.name.removesuffix(".jsonl.gz")}
    late = [line for line in lines if line["received_at"][:10] > line["sent_at"][:10]]
    assert late  # some arrive in a later file
    assert all(line["sent_at"] < line["received_at"] for line in lines)


def test_a_duplicate_is_the_same_event_sent_again(lines: list[dict[str, Any]]) -> None:
    by_id = defaultdict(list)
    for line in lines:
        by_id[line["id"]].append({key: value for key, value in line.items() if key != "received_at"})
    twice = [copies for copies in by_id.values() if len(copies) > 1]
    assert twice
    assert all(copies == [copies[0]] * 2 for copies in twice)


def test_an_impression_has_at_most_one_click_on_a_tile_that_it_showed(
    events: list[dict[str, Any]], workspace: Workspace
) -> None:
    shown = {
        e["event"]["props"]["impression_id"]: e["event"]["props"]
        for e in events
        if e["event"]["name"] == "home_impression"
    }
    clicks = [e["event"] for e in events if e["event"]["name"] == "tile_click"]
    assert max(Counter(click["props"]["impression_id"] for click in clicks).values()) == 1
    assert len(clicks) > len(shown) / 4
    known = [click for click in clicks if click["props"]["impression_id"] in shown]  # the impression may never arrive
    assert len(known) >= len(clicks) - 3
    assert all(click["target"] in shown[click["props"]["impression_id"]]["tiles"] for click in known)
    rows = defaultdict(list)
    for row in truth(workspace, "impressions"):
        rows[row["impression_id"]].append(row)
    assert rows.keys() == shown.keys()
    for impression_id, props in shown.items():
        assert [row["tile"] for row in rows[impression_id]] == props["tiles"]
        assert [row["propensity"] for row in rows[impression_id]] == props["propensities"]
        assert [row["position"] for row in rows[impression_id]] == list(range(5))
        assert sum(row["click_probability"] for row in rows[impression_id]) < 1


def test_clicks_come_as_often_as_their_chances_say(events: list[dict[str, Any]], workspace: Workspace) -> None:
    clicked = {
        e["event"]["props"]["impression_id"]: e["event"]["target"] for e in events if e["event"]["name"] == "tile_click"
    }
    surprises = [
        (clicked.get(row["impression_id"]) == row["tile"]) - row["click_probability"]
        for row in truth(workspace, "impressions")
    ]
    assert abs(np.sum(surprises)) < 4 * np.sqrt(len(surprises) * 0.12)  # 0.12: about p (1 - p) of a tile


def test_the_app_knows_its_customer_and_the_web_does_after_a_login(
    events: list[dict[str, Any]], workspace: Workspace
) -> None:
    logins = {row["client_id"]: row["login"] for row in truth(workspace, "identity")}
    logged_in = {event["client"]["id"] for event in events if event["event"]["name"] == "login"}
    for event in events:
        login = event.get("user", {}).get("login")
        assert login in (None, logins[event["client"]["id"]])
        assert (event["platform"] == "web") or login
        assert login is None or event["platform"] == "app" or event["client"]["id"] in logged_in
    cookies = {event["client"]["id"] for event in events if event["platform"] == "web"}
    assert 0.1 < len(logged_in & cookies) / len(cookies) < 0.4


def test_people_have_several_cookies(workspace: Workspace) -> None:
    n_clients = Counter(row["person_id"] for row in truth(workspace, "identity"))
    assert np.mean(list(n_clients.values())) > 1.5


def test_truth_tells_the_need_of_every_human_event(events: list[dict[str, Any]], workspace: Workspace) -> None:
    needs = {row["event_id"]: row["need"] for row in truth(workspace, "intents")}
    assert needs.keys() == {event["id"] for event in events}
    assert set(needs.values()) <= {*world().needs, NO_NEED}


def test_an_application_is_submitted_after_it_was_started(events: list[dict[str, Any]]) -> None:
    started: Counter[tuple[str, str]] = Counter()
    for event in events:
        key = (event["client"]["id"], str(event["event"].get("props")))
        started[key] += event["event"]["name"] == "application_started"
        if event["event"]["name"] == "application_submitted":
            assert started[key]
    products = {need.product for need in world().needs.values()}
    assert {e["event"]["props"]["product"] for e in events if e["event"]["name"].startswith("appl")} <= products


def test_planted_personal_data_is_in_the_files_and_listed(workspace: Workspace, lines: list[dict[str, Any]]) -> None:
    canaries = (workspace.truth / "canaries.txt").read_text(encoding="utf-8").splitlines()
    raw = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    plain = [text for text in canaries if text in raw]
    encoded = [text for text in canaries if text not in raw]  # the plain form of what was written encoded
    assert len(plain) >= 8
    written = {decode(text) for text in plain for decode in (unquote, unquote_plus)}
    assert set(encoded) <= written
    for pattern in (
        r"@(example\.(com|org)|mail\.example)$",
        r"555.01\d\d",
        r"9\d\d-[0-4]\d-\d{4}",
        r"^(192\.0\.2|198\.51\.100|203\.0\.113|2001:db8:)",
    ):
        assert any(re.search(pattern, text) for text in canaries), pattern


def test_bots_are_few_and_some_do_not_say_what_they_are(workspace: Workspace, lines: list[dict[str, Any]]) -> None:
    declared = {row["client_id"]: row["declared"] for row in truth(workspace, "bots")}
    agents = {line["client"]["id"]: line["client"]["ua"] for line in lines if line["client"]["id"] in declared}
    assert all(
        bool(re.search("bot|crawl|spider", ua, re.IGNORECASE)) == declared[client] for client, ua in agents.items()
    )
    machine, human = [], []
    times = defaultdict(list)
    for line in lines:
        times[line["client"]["id"]].append(datetime.fromisoformat(line["sent_at"]).timestamp())
    for client, stamps in times.items():
        median_gap = float(np.median(np.diff(sorted(stamps)))) if len(stamps) > 5 else np.inf
        if client in declared and not declared[client]:
            machine.append((len(stamps), median_gap))
        elif client not in declared:
            human.append((len(stamps), median_gap))
    assert all(count > 200 and gap < 1.5 for count, gap in machine)
    assert machine
    assert not any(count > 200 and gap < 1.5 for count, gap in human)


def test_malformed_lines_are_where_truth_says_and_cannot_be_read(workspace: Workspace) -> None:
    found = truth(workspace, "malformed")
    assert found
    for row in found:
        line = gzip.decompress((workspace.data / "events" / row["file"]).read_bytes()).split(b"\n")[row["line"] - 1]
        with pytest.raises((ValueError, KeyError, TypeError)):
            client_and_time(line)


def client_and_time(line: bytes) -> tuple[str, datetime]:
    fields = json.loads(line)
    return fields["client"]["id"], datetime.fromisoformat(fields["sent_at"])


def test_half_of_the_web_sessions_are_one_page_and_some_are_long(events: list[dict[str, Any]]) -> None:
    by_client = defaultdict(list)
    for event in events:
        if event["platform"] == "web":
            stamp = datetime.fromisoformat(event["sent_at"]).timestamp()
            by_client[event["client"]["id"]].append((stamp, event["event"]["name"] == "page_view"))
    lengths = []
    for stamps in by_client.values():
        starts = [i for i, (stamp, _) in enumerate(stamps) if i == 0 or stamp - stamps[i - 1][0] > 1800]
        ends = [*starts[1:], len(stamps)]
        lengths += [sum(seen for _, seen in stamps[a:b]) for a, b in zip(starts, ends, strict=True)]
    assert 0.42 < np.mean(np.array(lengths) == 1) < 0.6
    assert np.quantile(lengths, 0.99) > 15


def test_most_steps_follow_the_need_and_not_all(events: list[dict[str, Any]], workspace: Workspace) -> None:
    needs = {row["event_id"]: row["need"] for row in truth(workspace, "intents")}
    pages = {world().traffic.web_host + path: page for path, page in world().pages.items()}
    drawn = [
        pages[event["page"]["url"].split("?")[0]].needs.get(needs[event["id"]], 0) > 0
        for event in events
        if event["event"]["name"] == "page_view"
        and event["page"]["url"].split("?")[0] in pages
        and pages[event["page"]["url"].split("?")[0]].needs
    ]
    assert 0.75 < np.mean(drawn) < 0.97


def test_a_need_moves_clicks_but_does_not_rule_them(events: list[dict[str, Any]], workspace: Workspace) -> None:
    main_need = {row["event_id"]: row["need"] for row in truth(workspace, "intents")}
    clicked = {e["event"]["props"]["impression_id"]: e["event"]["target"] for e in clicks_of(events)}
    outcomes = defaultdict(list)
    for event in events:
        if event["event"]["name"] == "home_impression":
            props, need = event["event"]["props"], main_need[event["id"]]
            factors = world().needs[need].tiles if need != NO_NEED else {}
            for tile in props["tiles"]:
                outcomes[factors.get(tile, 1) >= 4].append(clicked.get(props["impression_id"]) == tile)
    wanted, other = np.mean(outcomes[True]), np.mean(outcomes[False])
    assert 2 < wanted / other < 5
    assert wanted < 0.5


def clicks_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["event"]["name"] == "tile_click"]


def test_people_are_the_same_whatever_their_number() -> None:
    def urls(n_people: int) -> dict[str, list[tuple[int, str]]]:
        happened = stage.simulate(params_of(f"simulate.people={n_people}").simulate, 7)
        lives = defaultdict(list)
        for event in happened.traffic.events:
            lives[event.client.person_id or ""].append((event.sent_ms, event.url))
        return lives

    few, many = urls(10), urls(20)
    assert few.keys() < many.keys()
    assert all(many[person] == life for person, life in few.items())


def test_same_bytes_again_over_the_old_bank_and_on_another_cpu(tmp_path: Path) -> None:
    overrides = ["simulate.people=40", "simulate.days=10"]
    here, there = Workspace(tmp_path / "here"), tmp_path / "there"
    there.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", there)
    stage.run(here, params_of(*overrides))
    first = snapshot(here.data)
    stage.run(here, params_of(*overrides))
    assert snapshot(here.data) == first
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload]
    environment = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo"}
    sets = [argument for override in overrides for argument in ("--set", override)]
    command = [sys.executable, "-m", "pipelines", "simulate", "--root", str(there), *sets]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    assert snapshot(there / "data") == first


def test_another_seed_is_another_bank() -> None:
    block = params_of("simulate.people=3").simulate
    assert [e.url for e in stage.simulate(block, 7).events] != [e.url for e in stage.simulate(block, 8).events]


@pytest.mark.parametrize("foreign", ["mine.csv", "events/mine.jsonl", "truth/mine.parquet"])
def test_files_of_others_are_never_overwritten(tmp_path: Path, foreign: str) -> None:
    workspace = Workspace(tmp_path)
    (workspace.data / foreign).parent.mkdir(parents=True)
    (workspace.data / foreign).write_text("precious")
    before = snapshot(tmp_path)
    with pytest.raises(SourceError, match=r"holds 1 file\(s\) that are not the demo bank's"):
        stage.run(workspace, params_of("simulate.people=2"))
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("foreign", "refused"), [("events/mine.jsonl", True), ("truth/mine.csv", True), ("mine.csv", False)]
)
def test_beside_a_demo_bank_only_what_would_be_replaced_counts(tmp_path: Path, foreign: str, refused: bool) -> None:
    workspace = Workspace(tmp_path)
    stage.run(workspace, params_of("simulate.people=2", "simulate.days=2"))
    (workspace.data / foreign).write_text("precious")
    if refused:
        with pytest.raises(SourceError, match="not the demo bank's"):
            stage.run(workspace, params_of("simulate.people=2"))
    else:
        stage.run(workspace, params_of("simulate.people=2", "simulate.days=3"))
    assert (workspace.data / foreign).read_text() == "precious"


@pytest.mark.parametrize("content", ["{", "[]", '{"files": {}}'])
def test_a_manifest_of_somebody_else_is_refused(tmp_path: Path, content: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.data.mkdir()
    (workspace.data / "demo_bank.json").write_text(content)
    with pytest.raises(SourceError, match=r"demo_bank\.json is not a demo bank's list of files"):
        stage.run(workspace, params_of("simulate.people=2"))


def test_a_failure_while_writing_leaves_the_old_bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    stage.run(workspace, params_of("simulate.people=2", "simulate.days=2"))
    before = snapshot(tmp_path)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder.pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        stage.run(workspace, params_of("simulate.people=3"))
    assert snapshot(tmp_path) == before


def test_moves_cut_short_can_be_done_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    stage.run(workspace, params_of("simulate.people=2", "simulate.days=2"))
    whole = snapshot(workspace.data)
    shutil.rmtree(workspace.truth)  # as after a kill between two of the moves
    stage.run(workspace, params_of("simulate.people=2", "simulate.days=2"))
    assert snapshot(workspace.data) == whole


def test_compression_keeps_no_time_and_no_name(workspace: Workspace) -> None:
    header = files(workspace)[0].read_bytes()[:10]
    assert header[:4] == b"\x1f\x8b\x08\x00"  # no flags: no file name
    assert header[4:8] == bytes(4)  # no modification time


def test_counts_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage.run(Workspace(tmp_path), params_of("simulate.people=5", "simulate.days=3"))
    said = capsys.readouterr().out
    for word in (
        "people",
        "cookies",
        "events",
        "web sessions",
        "app sessions",
        "bots",
        "impressions",
        "clicks",
        "applications",
    ):
        assert re.search(rf"\d+ (of \d+ )?{word}", said), word


def test_a_bank_of_one_person_and_one_day_is_written(tmp_path: Path) -> None:
    stage.run(Workspace(tmp_path), params_of("simulate.people=1", "simulate.days=1"))
    assert len(files(Workspace(tmp_path))) == 1
