"""One look for the pages that we write ourselves: a single file, no script, nothing loaded from elsewhere."""

import html
from collections.abc import Mapping

_STYLE = """
:root{--ink:#1c2330;--soft:#5b6575;--line:#dfe3ea;--tint:#f5f7fa;--blue:#2f6db5;--green:#1d7a4f;--red:#b3363b;
--amber:#94640a}*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);max-width:72rem;margin:2rem auto;
padding:0 1.2rem;overflow-wrap:break-word}h1{font-size:1.7rem;margin:0 0 .3rem}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;border-bottom:2px solid var(--line);padding-bottom:.3rem}
h3{font-size:1.05rem;margin:0}p{margin:.4rem 0}.soft{color:var(--soft)}.small{font-size:.86rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th{text-align:left;font-weight:600;color:var(--soft);font-size:.84rem}
td,th{padding:.3rem .7rem .3rem 0;vertical-align:top;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;white-space:nowrap}td.date{white-space:nowrap}
.note{background:#fff6e0;border-left:4px solid #e0a020;padding:.5rem .8rem;margin:.8rem 0}
.tiles{display:flex;flex-wrap:wrap;gap:.7rem;margin:1rem 0}
.tile{background:var(--tint);border-radius:6px;padding:.6rem .9rem;min-width:8.5rem}
.tile b{display:block;font-size:1.35rem}
.bar{display:inline-block;height:.65rem;background:var(--blue);border-radius:2px}
details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.55rem .8rem}summary{cursor:pointer}
summary h3{display:inline}
.chip{display:inline-block;background:var(--tint);border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;
margin:.1rem .2rem .1rem 0;font-size:.86rem}.cols{display:grid;grid-template-columns:1fr 1fr;gap:0 1.6rem}
.kind{display:inline-block;border-radius:4px;padding:0 .5rem;color:#fff;font-size:.8rem;background:var(--soft)}
.kind.added{background:var(--green)}.kind.retired{background:var(--red)}
.kind.merged,.kind.split{background:var(--blue)}.kind.renamed{background:var(--amber)}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}@media(max-width:50rem){.cols{grid-template-columns:1fr}}
"""

MACHINERY_ONLY = (
    "These labels come from the offline teacher (texts, clusters and keywords, no LLM): they and every figure here "
    "show that the machinery works, not what an LLM would find."
)
"""Said wherever figures of the offline teacher are shown."""


def page(title: str, body: str) -> str:
    """Returns the whole page; ``body`` is HTML whose texts went through ``text``."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def text(value: object) -> str:
    """Returns ``value`` as HTML text: whatever it holds, it stays text."""
    return html.escape(str(value))


def percent(share: float | None, digits: int = 1) -> str:
    """Returns a share as people read it."""
    return "not known" if share is None else f"{share:.{digits}%}"


def tile(label: str, value: str) -> str:
    """Returns a figure with its name."""
    return f'<div class="tile"><b>{text(value)}</b><span class="soft small">{text(label)}</span></div>'


def chips(texts: list[str]) -> str:
    """Returns short texts side by side."""
    return "".join(f'<span class="chip">{text(one)}</span>' for one in texts)


def drift_badge(found: Mapping[str, object]) -> str:
    """Returns the badge of a drift report that ``found`` (its JSON) an alarm or drift; nothing for a calm one."""
    if found.get("alarm"):
        return '<span class="kind retired">alarm</span> '
    return '<span class="kind">drift</span> ' if found.get("drifted") else ""
