"""reports/taxonomy.html: the taxonomy for whoever owns the product: what people want, how many, when, and shown how."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipelines.evaluate.inputs import Inputs
from pipelines.evaluate.week_chart import week_chart
from pipelines.html_page import MACHINERY_ONLY, chips, page, percent, text, tile
from pipelines.paths import Workspace
from pipelines.student.labels import NAMED_FROM

TITLE = "What visitors want"
WEEK_US = 7 * 24 * 3_600_000_000
MONDAY_US = 4 * 24 * 3_600_000_000  # 1970-01-05
MIN_TEST_SESSIONS = 20  # labelled test sessions below which an intent's precision and recall are noise


@dataclass(frozen=True)
class Figures:
    """What is known of the intents, a column each."""

    shares: np.ndarray  # (C,) of all sessions, by the student
    weeks: list[str]
    by_week: np.ndarray  # (W, C) shares of a week's sessions
    precision: np.ndarray  # (C,) of the student against the teacher, test part; NaN where nothing was named
    recall: np.ndarray
    n_test: np.ndarray  # (C,) labelled test sessions of the intent


def taxonomy_page(inputs: Inputs, workspace: Workspace) -> str:
    """Returns the page; without a student it says what is missing."""
    without = inputs.student is None or not workspace.used_taxonomy.exists()
    if without or inputs.student is None or inputs.decided is None or inputs.labels is None:
        return page(TITLE, f"<h1>{TITLE}</h1><p>Not available: needs labelled sessions, and a student.</p>")
    taxonomy = yaml.safe_load(workspace.used_taxonomy.read_text(encoding="utf-8"))
    seen = _seen(workspace.shown_intents)
    found = figures(inputs)
    column = {intent: place for place, intent in enumerate(inputs.student.intent_ids)}
    offline = "offline" in inputs.labels.models
    n_labelled = len(inputs.labels.rows)
    covered = float((inputs.labels.scores >= NAMED_FROM).any(axis=1).mean())
    tree = "\n".join(_category(category, column, found, seen) for category in taxonomy["categories"])
    notes = [f'<p class="note">{MACHINERY_ONLY}</p>'] if offline else []
    if inputs.demo_bank:
        notes.append('<p class="note">The data is the simulated demo bank: nothing here is of real customers.</p>')
    return page(
        TITLE,
        f"""<h1>{TITLE}</h1>
<p class="soft">Taxonomy {text(taxonomy["version"])}, written by {text(taxonomy.get("model", "an unnamed teacher"))};
every session labelled by the student, which learned from {n_labelled:,} sessions labelled by
{text(", ".join(inputs.labels.models))}.</p>
{"".join(notes)}
<div class="tiles">{tile("intents", str(len(column)))}{tile("categories", str(len(taxonomy["categories"])))}
{tile("sessions", f"{len(inputs.decided):,}")}{tile("of them named by the student", percent(_named(inputs), 0))}
{tile("of the labelled got an intent from the teacher", percent(covered, 0))}</div>
<h2>All intents</h2>
<p class="soft small">Share: of all sessions, as the student names them; a session may have several. Precision: how
often the teacher agrees where the student names the intent. Recall: how many of the teacher's the student finds. Both
on sessions of the test part; a dash where fewer than {MIN_TEST_SESSIONS} are labelled so.</p>
{_table(taxonomy, column, found)}
<h2>One by one</h2>
<p class="soft small">Nothing is quoted that only few visitors saw. Open an intent to read examples.</p>
{tree}""",
    )


def figures(inputs: Inputs) -> Figures:
    """Returns the figures of every intent of the student."""
    assert inputs.decided is not None
    assert inputs.labels is not None
    week_of = (inputs.times_us("start_ts") - MONDAY_US) // WEEK_US
    numbers = np.unique(week_of)
    by_week = np.stack([inputs.decided[week_of == number].mean(axis=0) for number in numbers])
    test = inputs.split[inputs.labels.rows] == "test"
    named = inputs.decided[inputs.labels.rows[test]]
    taught = inputs.labels.scores[test] >= NAMED_FROM
    both = (named & taught).sum(axis=0).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = both / named.sum(axis=0), both / taught.sum(axis=0)
    weeks = [str(np.datetime64(int(number) * WEEK_US + MONDAY_US, "us").astype("datetime64[D]")) for number in numbers]
    return Figures(inputs.decided.mean(axis=0), weeks, by_week, precision, recall, taught.sum(axis=0))


def _named(inputs: Inputs) -> float:
    assert inputs.decided is not None
    return float(inputs.decided.any(axis=1).mean())


def _seen(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _table(taxonomy: Mapping[str, Any], column: Mapping[str, int], found: Figures) -> str:
    widest = max(float(found.shares.max()), 1e-9)
    rows = []
    for category in taxonomy["categories"]:
        total = sum(float(found.shares[column[intent["id"]]]) for intent in category["intents"])
        rows.append(
            f'<tr><td colspan="5"><b>{text(category["name"])}</b> <span class="soft">{percent(total)}</span></td></tr>'
        )
        for intent in sorted(category["intents"], key=lambda one: -found.shares[column[one["id"]]]):
            place = column[intent["id"]]
            share = float(found.shares[place])
            bar = f'<span class="bar" style="width:{9 * share / widest:.2f}rem"></span>'
            rows.append(
                f'<tr><td style="padding-left:1.2rem"><a href="#{text(intent["id"])}">{text(intent["name"])}</a></td>'
                f'<td>{bar}</td><td class="n">{percent(share)}</td>'
                f'<td class="n">{_quality(found.precision, found, place)}</td>'
                f'<td class="n">{_quality(found.recall, found, place)}</td></tr>'
            )
    head = (
        '<tr><th>Intent</th><th></th><th class="n">Share</th><th class="n">Precision</th><th class="n">Recall</th></tr>'
    )
    return f"<table>{head}\n{chr(10).join(rows)}</table>"


def _quality(values: np.ndarray, found: Figures, place: int) -> str:
    known = found.n_test[place] >= MIN_TEST_SESSIONS and not np.isnan(values[place])
    return f"{values[place]:.2f}" if known else "–"


def _category(category: Mapping[str, Any], column: Mapping[str, int], found: Figures, seen: Mapping[str, Any]) -> str:
    intents = "\n".join(_intent(intent, column[intent["id"]], found, seen) for intent in category["intents"])
    return f"<h2>{text(category['name'])}</h2>\n{intents}"


def _intent(intent: Mapping[str, Any], place: int, found: Figures, seen: Mapping[str, Any]) -> str:
    of = seen.get(intent["id"], {"sessions": [], "pages": [], "searches": []})
    notes = "".join(
        f"<p class='small'><b>{heading}:</b> {text('; '.join(intent.get(key, [])))}</p>"
        for heading, key in (("Also", "include"), ("Not", "exclude"))
        if intent.get(key)
    )
    examples = "\n".join(_session(session) for session in of["sessions"])
    return f"""<details id="{text(intent["id"])}"><summary><h3>{text(intent["name"])}</h3>
<span class="soft">{percent(float(found.shares[place]))} of sessions</span>
<br>{text(intent.get("description", ""))}</summary>{notes}
<div class="cols"><div><p class="soft small">Pages seen in most of its sessions</p>{_top(of["pages"])}</div>
<div><p class="soft small">Share of each week's sessions</p>{week_chart(found.weeks, found.by_week[:, place])}
<p class="soft small">Searches</p>{chips([said for said, _ in of["searches"]]) or "none that enough visitors made"}
<p class="soft small">Words that give it away</p>{chips(intent.get("keywords", []))}</div></div>
<p class="soft small">Sessions that are about it</p>{examples or "none that may be shown"}</details>"""


def _top(pages: Sequence[Sequence[Any]]) -> str:
    rows = "".join(f'<tr><td>{text(title)}</td><td class="n">{percent(share, 0)}</td></tr>' for title, share in pages)
    return f"<table>{rows}</table>" if rows else '<p class="small">none</p>'


def _session(session: Mapping[str, Any]) -> str:
    steps = "".join(
        f'<tr><td class="n">{_seconds(event.get("seconds"))}</td><td>{text(event.get("type", ""))}</td>'
        f"<td>{text(event.get('title') or event.get('page') or '')}"
        f"{' <b>“' + text(event['search']) + '”</b>' if 'search' in event else ''}</td></tr>"
        for event in session["events"]
    )
    return (
        f'<p class="small"><span class="chip">{text(session["channel"])}</span></p><table class="small">{steps}</table>'
    )


def _seconds(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds} s" if seconds < 100 else f"{seconds / 60:.0f} min"
