"""What people see of a retraining in Airflow: questions, pages and links, in one process without a server."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow_python import in_airflow

from pipelines import runs
from pipelines.champion import write_json
from pipelines.paths import Workspace
from pipelines.runs import Run
from pipelines.taxonomy.document import Category, Document, Intent, document, slug
from pipelines.taxonomy.versions import renewed
from pipelines.verdict import Comparison, TaxonomyChange, Verdict

HOSTILE = "page ![x](http://evil.example/p.png) <script>alert(1)</script> [click](javascript:alert(1)) **moved**"
RUN_ID = "asset_triggered__2026-03-01T00:00:00+00:00"
NAME = runs.name_of(RUN_ID)
IDLE = "scheduled-2026-02-23"

ALARM = {
    "sentence": "Labels moved.", "window": {"from": "2026-02-26", "to": "2026-03-01"},
    "hashes": {"sessions": "ab" * 32, "reference.parquet": "cd" * 32},
}  # fmt: skip

LOOK = f"""
    import json, os, sys, threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from types import SimpleNamespace
    from airflow.sdk.exceptions import AirflowNotFoundException
    from fastapi.testclient import TestClient
    sys.path.append({str(Path(__file__).parents[1])!r})
    from mailbox_server import Mailbox
    from pipelines import airflow_alerts, champion, runs, verdict
    from pipelines.airflow_approval import PromotionQuestion, TaxonomyQuestion
    from pipelines.airflow_links import address
    from pipelines.airflow_reports import app
    from pipelines.airflow_tasks import ROOT, because, cause
    from pipelines.approve.question import RenewalQuestion
    from pipelines.paths import Workspace

    root, name = Workspace(ROOT), {NAME!r}
    made_of_it = Workspace(runs.folder(root, name))
    (run,) = [one for one in runs.known(root) if one.name == name]
    found = verdict.read(made_of_it)
    asked = [kind(task_id="asked", subject="s").text(run)
             for kind in (PromotionQuestion, TaxonomyQuestion, RenewalQuestion)]
    made = app()
    made.dependency_overrides = {{one.dependency: lambda: None for one in made.router.dependencies}}
    browser = TestClient(made, base_url="http://localhost")
    pages = ["champion", "drift", "retrain", f"retrain/{{name}}", f"retrain/{{name}}/gate.html"]
    pages += ["drift/2026-03-01.html", "run/other", "run/{RUN_ID}"]
    pages += ["retrain/{IDLE}", "run/{IDLE}", "notes.txt", "none.html"]
    pages += ["..%2fparams.yaml", "retrain/..%2f..%2f/champion.json"]
    answers = {{page: browser.get("/" + page, follow_redirects=False) for page in pages}}

    class Chat(BaseHTTPRequestHandler):
        told = []
        def do_POST(self):
            self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(self.told) == 1 else 500)
            self.end_headers()
        def log_message(self, *arguments):
            pass

    mailbox = Mailbox()
    server = f"127.0.0.1:{{mailbox.port}}/?to=team%40localhost&disable_ssl=true&disable_tls=true"
    os.environ["AIRFLOW_CONN_CLICKS_ALERTS"] = "smtp://" + server
    airflow_alerts.Alert("<it> failed").notify({{}})

    chat = HTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=chat.serve_forever, daemon=True).start()
    connection = SimpleNamespace(conn_type="http", host=f"http://127.0.0.1:{{chat.server_port}}/hook", schema=None)
    for found_connection in (lambda name: connection, lambda name: connection, None):
        def get(name):
            if found_connection is None:
                raise AirflowNotFoundException(name)
            return found_connection(name)
        airflow_alerts.Connection = SimpleNamespace(get=get)
        airflow_alerts.Alert("it failed").notify({{}})
    unchanged = found.model_copy(update={{"taxonomy": verdict.TaxonomyChange(changed=False, lines=[])}})
    champion.write_json(made_of_it.gate, unchanged)
    made_of_it.proposed_taxonomy.unlink()
    print("FOUND " + json.dumps({{
        "told": Chat.told,
        "mailed": mailbox.letters,
        "asked": asked,
        "silent": [kind(task_id="asked", subject="s").text(run) for kind in (TaxonomyQuestion, RenewalQuestion)],
        "pages": {{page: [one.status_code, one.text, one.headers.get("content-security-policy", "")]
                  for page, one in answers.items()}},
        "links": {{task: address("retrain", task, {RUN_ID!r})
                  for task in ("ingest", "evaluate", "gate", "workspace")}},
        "causes": [cause(SimpleNamespace(run_type=kind))
                   for kind in ("scheduled", "asset_triggered", "manual", "backfill")],
        "because": because({{"drift": [SimpleNamespace(extra={ALARM!r})]}}) + because({{}}),
    }}))
"""


def taxonomy(*names: str) -> Document:
    intents = [
        Intent(id=slug(name, set()), name=name[:100], description="", examples=[], keywords=[name]) for name in names
    ]
    return document([Category(id="all", name="All", description="", intents=intents)], "made-up")


@pytest.fixture(scope="module")
def seen(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = Workspace(tmp_path_factory.mktemp("seen"))
    made = Workspace(runs.folder(root, NAME))
    made.reports.mkdir(parents=True)
    root.drift.mkdir(parents=True)
    run = Run(
        name=NAME, began_at=datetime(2026, 3, 1, tzinfo=UTC), cause="alarm", because=HOSTILE, profile="full",
        window=(None, "2026-03-01"), champion="0001-a", code="c" * 40, new=["data"],
    )  # fmt: skip
    runs.write(root, run)
    idle = {"name": IDLE, "cause": "schedule", "because": "", "new": [], "skipped": "no new data"}
    runs.write(root, run.model_copy(update=idle))
    proposed, diff = renewed(taxonomy("loans"), taxonomy("loans", HOSTILE), [], [], why="coverage fell")
    made.taxonomy.mkdir(parents=True)
    made.approved_taxonomy.write_text(taxonomy("loans").to_yaml(), encoding="utf-8")
    made.proposed_taxonomy.write_text(proposed.to_yaml(), encoding="utf-8")
    made.taxonomy_diff.write_text(diff.model_dump_json(), encoding="utf-8")
    compared = Comparison(
        metric="m.n", outcome="better", champion=0.1, challenger=0.2, improvement=1.0, ci95=(0.5, 1.5)
    )
    change = TaxonomyChange(changed=True, lines=[f"added: {HOSTILE}"])
    found = Verdict(
        passed=True, sentence="No worse.", champion="0001-a", versions={}, comparisons=[compared], taxonomy=change
    )
    write_json(made.gate, found)
    made.gate.with_suffix(".html").write_text("<p>gate", encoding="utf-8")
    (root.reports / "notes.txt").write_text("mine", encoding="utf-8")
    (root.root / "params.yaml").write_text("mine", encoding="utf-8")
    (root.root / "dvc.yaml").write_bytes((repository / "dvc.yaml").read_bytes())
    write_json(root.drift / "2026-03-01.json", {"sentence": HOSTILE, "alarm": True})
    (root.drift / "2026-03-01.html").write_text("<script>draw()</script>", encoding="utf-8")
    (told,), _ = in_airflow(LOOK, root.root, root.root / "home")
    assert isinstance(told, dict)
    return told


def test_the_question_shows_the_comparison_its_page_and_why_it_began(seen: dict[str, Any]) -> None:
    promotion, changed, proposed = seen["asked"]
    assert "| m.n | better | +100.0% [+50.0%, +150.0%] | 0.1000 | 0.2000 |" in promotion
    assert f"/reports/retrain/{NAME}/gate.html" in promotion
    assert "Started by an alarm" in promotion
    assert "New: data. Events from the first to 2026-03-01; profile full." in promotion
    assert "added" in changed
    assert "because coverage fell" in proposed
    assert "\n- New intents: 1\n  - nothing" in proposed, "what is new lies under its heading"
    assert f"/reports/retrain/{NAME}/taxonomy_diff.html" in proposed
    assert seen["silent"] == [None, None]


def test_a_skipped_run_has_a_page_that_says_why(seen: dict[str, Any]) -> None:
    assert "Skipped: no new data." in seen["pages"][f"retrain/{IDLE}"][1]
    assert "Skipped: no new data." in seen["pages"]["retrain"][1]
    assert seen["pages"][f"run/{IDLE}"][0] == 307


def test_what_strangers_wrote_is_text_in_questions_and_pages(seen: dict[str, Any]) -> None:
    for asked in seen["asked"]:
        assert "![x]" not in asked
        assert "](http://evil" not in asked
        assert "](javascript" not in asked
    for _, body, policy in (seen["pages"][page] for page in ("drift", "retrain", f"retrain/{NAME}")):
        assert "<script" not in body
        assert "script" not in policy
        assert "default-src 'none'" in policy


def test_only_reports_are_served_and_scripts_run_in_a_sandbox_only(seen: dict[str, Any]) -> None:
    status = {page: found[0] for page, found in seen["pages"].items()}
    shown = ["champion", "drift", "retrain", f"retrain/{NAME}", f"retrain/{NAME}/gate.html", "drift/2026-03-01.html"]
    assert {status[page] for page in [*shown, "run/other"]} == {200}
    assert status[f"run/{RUN_ID}"] == 307
    for page in ("notes.txt", "..%2fparams.yaml", "retrain/..%2f..%2f/champion.json", "none.html"):
        assert status[page] == 404, page
    assert seen["pages"]["drift/2026-03-01.html"][2].startswith("sandbox allow-scripts;")
    assert "script" not in seen["pages"][f"retrain/{NAME}/gate.html"][2]


def test_tasks_lead_to_their_reports_and_runs_say_who_began_them(seen: dict[str, Any]) -> None:
    assert seen["links"] == {
        "ingest": f"/reports/retrain/{NAME}/ingest.json",
        "evaluate": f"/reports/retrain/{NAME}/taxonomy.html",
        "gate": f"/reports/retrain/{NAME}/gate.html",
        "workspace": "",
    }
    assert seen["causes"] == ["schedule", "alarm", "person", "person"]
    assert seen["because"] == (
        "Labels moved. Window 2026-02-26 to 2026-03-01; SHA-256: sessions abababababab, reference.parquet cdcdcdcdcdcd."
    )


def test_an_alert_is_sent_where_a_connection_is_set_and_its_failure_is_no_failure(seen: dict[str, Any]) -> None:
    (letter,) = seen["mailed"]
    assert "To: team@localhost" in letter
    assert "&lt;it&gt; failed" in letter
    assert seen["told"] == [{"text": "it failed"}] * 2, "the second was refused, and without a connection none is sent"
