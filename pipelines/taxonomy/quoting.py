"""What a taxonomy and its pages may quote: texts and words that enough visitors showed, so that none is one person's.

Not covered: what an LLM writes in its own words after reading a text that one visitor wrote.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.taxonomy.document import Document, Intent
from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.words import Content, content, content_words, row_words, spoken, title_parts

HIDDEN = "(shown to few visitors)"
_QUOTED = frozenset({"title", "search", "page"})


@dataclass(frozen=True)
class Quotable:
    """Casefolded texts, and stems of words, that at least ``taxonomy.min_visitors`` visitors showed."""

    texts: frozenset[str]
    words: frozenset[str]

    def text(self, text: str) -> bool:
        return text.casefold() in self.texts

    def has_words(self, text: str) -> bool:
        """Returns whether every word that says something may be quoted, and there is one."""
        words = content_words(text)
        return bool(words) and self.words.issuperset(words)

    def floored(self, taxonomy: Document) -> Document:
        """Returns ``taxonomy`` without the examples and keywords that may not be quoted."""

        def floored(intent: Intent) -> Intent:
            examples = [example for example in intent.examples if self.text(example)]
            keywords = [keyword for keyword in intent.keywords if self.has_words(keyword)]
            return intent.model_copy(update={"examples": examples, "keywords": keywords})

        return taxonomy.changed(floored)

    def rows(self, session: RenderedSession) -> list[Row]:
        """Returns the session's rows, with what may not be quoted hidden."""
        return [
            {name: HIDDEN if name in _QUOTED and not self.text(str(value)) else value for name, value in row.items()}
            for row in session.rows()
        ]


def quotable(sessions: Iterable[RenderedSession], visitor_of: Mapping[str, str], min_visitors: int) -> Quotable:
    """Returns what at least ``min_visitors`` of the visitors of ``sessions`` showed."""
    visitors_of: dict[Content, set[str]] = defaultdict(set)
    rows: dict[Content, Row] = {}
    for session in sessions:
        visitor = visitor_of[session.session_id]
        for row in session.rows():
            shown = content(row)
            rows[shown] = row
            visitors_of[shown].add(visitor)
    of_text: dict[str, set[str]] = defaultdict(set)
    of_word: dict[str, set[str]] = defaultdict(set)
    for shown, visitors in visitors_of.items():
        for text in _texts(rows[shown]):
            of_text[text.casefold()] |= visitors
        for word in row_words(rows[shown]):
            of_word[word] |= visitors
    return Quotable(_reached(of_text, min_visitors), _reached(of_word, min_visitors))


def _texts(row: Row) -> list[str]:
    found = [str(row[name]) for name in ("search", "page") if name in row]
    if "title" in row:
        found += title_parts(str(row["title"]))
    if "page" in row:
        found.append(spoken(str(row["page"]), set()))
    return found


def _reached(visitors: Mapping[str, set[str]], min_visitors: int) -> frozenset[str]:
    return frozenset(text for text, of in visitors.items() if len(of) >= min_visitors)
