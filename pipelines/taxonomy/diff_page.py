"""reports/taxonomy_diff.html: what a proposed taxonomy would change, for the person who approves it."""

from pipelines.html_page import MACHINERY_ONLY, page, percent, text, tile
from pipelines.taxonomy.document import Document, Intent
from pipelines.taxonomy.versions import Change, Diff, Kind

TITLE = "A change of the taxonomy"
HEADINGS: dict[Kind, str] = {
    "added": "New intents",
    "retired": "Intents that go",
    "split": "Intents that are divided",
    "merged": "Intents that become one",
    "renamed": "Intents with another name",
    "kept": "Intents that stay",
}
"""In the order of what a reader must look at."""


def nothing_proposed(why: str) -> str:
    """Returns the page for a run that proposes nothing."""
    return page(TITLE, f"<h1>{TITLE}</h1>\n<p>Nothing is proposed: {text(why)}.</p>")


def diff_page(diff: Diff, old: Document, new: Document, offline: bool) -> str:
    """Returns the page of a proposal."""
    counts = {kind: len(diff.of_kind(kind)) for kind in HEADINGS}
    tiles = "".join(tile(HEADINGS[kind].lower(), str(count)) for kind, count in counts.items())
    sections = "\n".join(_section(kind, diff, old, new) for kind in HEADINGS if counts[kind])
    body = f"""<h1>{TITLE}</h1>
<p>Proposed because {text(diff.why)}. Until somebody approves it, in the form of the retraining that made it or by
<code>python -m pipelines approve</code>, the approved taxonomy stays in use.</p>
<p class="soft small">From {text(diff.from_version)} ({len(old.intents)} intents)
to {text(diff.to_version)} ({len(new.intents)} intents)</p>
{f'<p class="note">{MACHINERY_ONLY}</p>' if offline else ""}
<div class="tiles">{tile("of sessions get another main intent (churn)", percent(diff.churn))}{tiles}</div>
{sections}
<h2>What becomes of labels given so far</h2>
<p class="soft">Of the {diff.n_sessions:,} sessions read under both taxonomies: where those of an intent go.</p>
<table><tr><th>Label until now</th><th>Reads as</th></tr>
{_map_rows(diff, old, new)}</table>"""
    return page(TITLE, body)


def _section(kind: Kind, diff: Diff, old: Document, new: Document) -> str:
    befores = {intent.id: intent for intent in old.intents}
    afters = {intent.id: intent for intent in new.intents}
    rows = "\n".join(_row(change, befores, afters) for change in diff.of_kind(kind))
    return f"<h2>{HEADINGS[kind]}</h2>\n<table><tr><th>Until now</th><th>Then</th></tr>\n{rows}</table>"


def _row(change: Change, befores: dict[str, Intent], afters: dict[str, Intent]) -> str:
    mark = f'<span class="kind {change.kind}">{change.kind}</span> '
    before = "".join(_intent(befores[intent]) for intent in change.before) or '<span class="soft">nothing</span>'
    after = "".join(_intent(afters[intent]) for intent in change.after) or '<span class="soft">nothing</span>'
    return f"<tr><td>{mark}{before}</td><td>{after}</td></tr>"


def _intent(intent: Intent) -> str:
    return (
        f'<div><b>{text(intent.name)}</b> <span class="soft small">{text(intent.id)}</span><br>'
        f'<span class="small">{text(intent.description)}</span></div>'
    )


def _map_rows(diff: Diff, old: Document, new: Document) -> str:
    names = {intent.id: intent.name for intent in new.intents}
    rows = []
    for intent in old.intents:
        shares = diff.formerly[intent.id]
        reads = ", ".join(f"{text(names[name])} ({percent(share, 0)})" for name, share in shares.items())
        rows.append(f"<tr><td>{text(intent.name)}</td><td>{reads or 'nothing of the new taxonomy (other)'}</td></tr>")
    return "\n".join(rows)
