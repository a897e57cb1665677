"""reports/index.html: one page that leads to the others."""

import html
import json
from collections.abc import Mapping
from pathlib import Path

_FIGURES = ("metrics.json", "ingest.json", "plots", "curves", "bench")


def index(reports: Path, sentences: Mapping[str, str]) -> str:
    """Returns the page: every drift report, newest first, and the figures that lie beside it.

    Args:
        reports: the folder of the page.
        sentences: what each drift report found, by its name.
    """
    rows = [
        f'<tr><td><a href="drift/{name}.html">{name}</a></td><td>{html.escape(sentence)}</td></tr>'
        for name, sentence in sorted(sentences.items(), reverse=True)
    ]
    links = [f'<li><a href="{name}">{name}</a></li>' for name in _FIGURES if (reports / name).exists()]
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Clicks to Intent: reports</title>\n'
        "<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "td{padding:.3rem 1rem .3rem 0;vertical-align:top}</style>\n"
        f"<h1>Clicks to Intent: reports</h1>\n<h2>Drift</h2>\n<table>\n{chr(10).join(rows)}\n</table>\n"
        f"<h2>Figures</h2>\n<ul>\n{chr(10).join(links)}\n</ul>\n</html>\n"
    )


def sentences(drift: Path) -> dict[str, str]:
    """Returns what the reports in the folder ``drift`` found, by their names."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["sentence"] for path in drift.glob("????-??-??.json")
    }
