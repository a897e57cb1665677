"""The reports as a web application inside Airflow's: for who is logged in there, and of files under reports/ only.

What is shown goes back to page titles and searches of strangers. So no page runs a script, but those by Evidently and
the map, which run in a sandbox without Airflow's cookies; nothing is loaded from elsewhere.
"""

import json
from pathlib import Path
from typing import Any, Final

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from pipelines import runs
from pipelines.airflow_tasks import ROOT
from pipelines.html_page import drift_badge, page, text, tile
from pipelines.paths import Workspace
from pipelines.runs import Run
from pipelines.verdict import Verdict

ROOT_WORKSPACE: Final = Workspace(ROOT)
KINDS: Final = {".html", ".json", ".png", ".csv", ".tsv"}
STILL: Final = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
SCRIPTED: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob:; worker-src blob:; "
    "img-src data: blob:; style-src 'unsafe-inline'; font-src data:"
)
SHOWN: Final = {
    "gate.html": "gate", "taxonomy.html": "taxonomy", "taxonomy_diff.html": "proposed taxonomy",
    "bench/audit.json": "audit", "metrics.json": "figures", "ingest.json": "ingest", "sessionize.json": "sessions",
    "encoder.json": "encoder",
}  # fmt: skip


def app() -> FastAPI:
    """Returns the application; every address of it asks for Airflow's login."""
    made = FastAPI(
        dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    made.get("/champion")(_champion)
    made.get("/drift")(_drift)
    made.get("/retrain")(_retrainings)
    made.get("/run/{run_id:path}")(_run)
    made.get("/retrain/{name}")(_retraining)
    made.get("/retrain/{name}/{file:path}")(_file_of_a_retraining)
    made.get("/{file:path}")(_file)
    return made


def _champion() -> Response:
    if not ROOT_WORKSPACE.champion.exists():
        return _page(
            "Champion", "<p>There is no champion yet: run the DAG <b>retrain</b>, or <code>promote</code>.</p>"
        )
    record = json.loads(ROOT_WORKSPACE.champion.read_text("utf-8"))
    cards = {
        "version": "version", "promoted_at": "promoted (UTC)", "git_tag": "git tag", "encoder_version": "encoder",
        "taxonomy_version": "taxonomy", "student_version": "student",
    }  # fmt: skip
    record["promoted_at"] = record["promoted_at"][:16].replace("T", " ")
    tiles = "".join(tile(label, str(record[key] or "none")) for key, label in cards.items())
    former = sorted((path.name for path in ROOT_WORKSPACE.champions.glob("*") if path.is_dir()), reverse=True)
    others = "".join(f"<li>{text(name)}</li>" for name in former if name != record["version"]) or "<li>none</li>"
    way_back = "<p>The DAG <b>rollback</b> returns to the one before.</p>"
    return _page("Champion", f'<div class="tiles">{tiles}</div><h2>Kept beside it</h2><ul>{others}</ul>{way_back}')


def _drift() -> Response:
    rows = []
    for path in sorted(ROOT_WORKSPACE.drift.glob("*.json"), reverse=True):
        found = _json(path)
        if "sentence" in found and path.with_suffix(".html").exists():
            link = f'<a href="drift/{text(path.stem)}.html">{text(path.stem)}</a>'
            rows.append(f'<tr><td class="date">{link}</td><td>{drift_badge(found)}{text(found["sentence"])}</td></tr>')
    return _page("Drift", f"<table>{''.join(rows)}</table>" if rows else "<p>No report yet: run the DAG monitor.</p>")


def _retrainings() -> Response:
    rows = [
        f'<tr><td class="date"><a href="retrain/{run.name}">{run.began_at:%Y-%m-%d %H:%M}</a></td>'
        f"<td>{text(run.cause)}</td><td>{text('; '.join(run.new))}</td><td>{text(_sentence(run))}</td></tr>"
        for run in runs.known(ROOT_WORKSPACE)
    ]
    head = "<tr><th>Began (UTC)</th><th>By</th><th>New</th><th>Outcome</th></tr>"
    return _page("Retrainings", f"<table>{head}{''.join(rows)}</table>" if rows else "<p>None yet.</p>")


def _run(run_id: str) -> Response:
    name = runs.name_of(run_id)
    if name in {run.name for run in runs.known(ROOT_WORKSPACE)}:
        return RedirectResponse(f"/reports/retrain/{name}")
    return _page("Reports", "<p>This run wrote no reports of its own: only retrainings do.</p>")


def _retraining(name: str) -> Response:
    run = next((one for one in runs.known(ROOT_WORKSPACE) if one.name == name), None)
    if run is None:
        raise HTTPException(404)
    if run.skipped:
        return _page("Retraining", f"<p><b>{text(_sentence(run))}</b></p><p>It began by {text(run.cause)}.</p>")
    reports = Workspace(runs.folder(ROOT_WORKSPACE, name)).reports
    items = [
        f'<li><a href="{name}/{file}">{text(label)}</a></li>'
        for file, label in SHOWN.items()
        if (reports / file).exists()
    ]
    gone = "<li>its workspace was pruned: what it promoted is in git and in DVC</li>"
    facts = {
        "began (UTC)": f"{run.began_at:%Y-%m-%d %H:%M}", "by": run.cause, "profile": run.profile,
        "against champion": run.champion or "none", "code": run.code[:10],
    }  # fmt: skip
    tiles = "".join(tile(label, value) for label, value in facts.items())
    why = f"<p>{text(run.because)}</p>" if run.because else ""
    body = f"<p><b>{text(_sentence(run))}</b></p>{why}<p>New: {text('; '.join(run.new))}</p>"
    return _page(
        "Retraining", f'{body}<div class="tiles">{tiles}</div><h2>Reports</h2><ul>{"".join(items) or gone}</ul>'
    )


def _file_of_a_retraining(name: str, file: str) -> Response:
    if runs.name_of(name) != name:
        raise HTTPException(404)
    return _served(Workspace(runs.folder(ROOT_WORKSPACE, name)).reports, file)


def _file(file: str) -> Response:
    return _served(ROOT_WORKSPACE.reports, file)


def _served(folder: Path, file: str) -> Response:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()) or path.suffix not in KINDS or not path.is_file():
        raise HTTPException(404)
    scripted = path.parent.name == "drift" or path.name == "embedding.html"
    return FileResponse(path, headers=_headers(SCRIPTED if scripted else STILL))


def _page(title: str, body: str) -> Response:
    return HTMLResponse(page(title, f"<h1>{text(title)}</h1>{body}"), headers=_headers(STILL))


def _headers(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def _sentence(run: Run) -> str:
    if run.skipped:
        return f"Skipped: {run.skipped}."
    path = Workspace(runs.folder(ROOT_WORKSPACE, run.name)).gate
    try:
        return Verdict.model_validate_json(path.read_bytes()).sentence
    except (OSError, ValidationError):
        return "The gate has not judged it."


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
