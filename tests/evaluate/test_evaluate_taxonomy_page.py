"""reports/taxonomy.html where everything that others wrote is hostile."""

import json
from html.parser import HTMLParser

import yaml

from pipelines.evaluate.inputs import read_inputs
from pipelines.evaluate.taxonomy_page import taxonomy_page
from pipelines.paths import Workspace

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' & </details></title>{{7*7}}"
PLAIN = {"a", "b", "body", "br", "circle", "details", "div", "g", "h1", "h2", "h3", "head", "html", "line", "meta", "p"}
PLAIN |= {"path", "polyline", "rect", "span", "style", "summary", "svg", "table", "td", "text", "th", "title", "tr"}


class Reader(HTMLParser):
    """Collects what a browser would see: tags, attributes, texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_whatever_was_written_stays_text(copied: Workspace) -> None:
    taxonomy = yaml.safe_load(copied.used_taxonomy.read_text(encoding="utf-8"))
    intents = [intent for category in taxonomy["categories"] for intent in category["intents"]]
    for part in (*taxonomy["categories"], *intents):
        part |= {"name": HOSTILE, "description": HOSTILE}
    for intent in intents:
        intent |= {key: [HOSTILE] for key in ("include", "exclude", "examples", "keywords")}
    copied.used_taxonomy.write_text(yaml.safe_dump(taxonomy | {"model": HOSTILE}), encoding="utf-8")
    event = {"type": HOSTILE, "title": HOSTILE, "page": HOSTILE, "search": HOSTILE, "seconds": 3}
    session = {"channel": HOSTILE, "events": [event]}
    shown = {"sessions": [session], "pages": [[HOSTILE, 0.5]], "searches": [[HOSTILE, 2]]}
    copied.shown_intents.write_text(json.dumps({intent["id"]: shown for intent in intents}), encoding="utf-8")
    written = taxonomy_page(read_inputs(copied), copied)
    seen = Reader()
    seen.feed(written)
    assert seen.tags <= PLAIN
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in {"src", "srcdoc"}]
    assert all((value or "").startswith("#") for name, value in seen.attributes if name == "href")
    assert "<script" not in written
    assert "".join(seen.texts).count("<script>alert(1)</script>") >= 10 * len(intents)  # all of it is there to read
