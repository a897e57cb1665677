"""From the evidence of single events to the soft labels of a session."""

import math
from collections.abc import Iterable, Mapping

from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.words import content_words, page_key, row_words, spoken, title_parts

HALF_CERTAIN = 0.5  # evidence at which the strongest intent scores one half: one page gives 1.0
MIN_SCORE = 0.25  # weaker intents of a session are passing glances
MIN_COVERAGE = 0.5  # share of a row's words that must be an intent's, where no title matches


def session_labels(evidence: Iterable[Mapping[str, float]]) -> Labels:
    """Returns the soft labels of a session from the ``evidence`` in [0, 1] that each of its rows gives of each intent.

    An intent's score is its evidence over that of the strongest plus HALF_CERTAIN: near 1 for a session that is all
    about it, lower for a single page. Rows count alike: the time spent on them found needs no better (docs/LOG.md).
    """
    totals: dict[str, float] = {}
    for given in evidence:
        for intent, strength in given.items():
            totals[intent] = totals.get(intent, 0.0) + strength
    if not totals:
        return {}
    strongest = max(totals.values())
    scores = {intent: round(total / (strongest + HALF_CERTAIN), 4) for intent, total in totals.items()}
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return {intent: score for intent, score in ranked if score >= MIN_SCORE}


class KeywordEvidence:
    """Evidence by words: a page title that is an example of an intent, or words that its text holds.

    A search that names an intent is evidence of it, whatever else it demands: it may mislabel its own session, no
    other.
    """

    def __init__(self, taxonomy: Document) -> None:
        self.by_title: dict[str, list[str]] = {}
        self.words_of: dict[str, set[str]] = {}
        for intent in taxonomy.intents:
            for example in intent.examples:
                self.by_title.setdefault(example.casefold(), []).append(intent.id)
            text = " ".join([intent.name, intent.description, *intent.examples, *intent.keywords])
            self.words_of[intent.id] = set(content_words(text))
        n_intents = len(self.words_of)
        spread: dict[str, int] = {}
        for words in self.words_of.values():
            for word in words:
                spread[word] = spread.get(word, 0) + 1
        self.unknown = math.log(1 + n_intents)
        self.informative = {word: math.log((1 + n_intents) / count) for word, count in spread.items()}

    def labels(self, session: RenderedSession) -> Labels:
        return session_labels(self.of_row(row) for row in session.rows())

    def of_row(self, row: Row) -> dict[str, float]:
        """Returns evidence in (0, 1] by intent id; a title that is an example counts in full."""
        key = page_key(row)
        if key is None and "search" not in row:
            return {}
        called = [] if key is None else [*title_parts(key), spoken(key, set())]
        named = {intent for part in called for intent in self.by_title.get(part.casefold(), ())}
        if named:
            return {intent: 1.0 / len(named) for intent in sorted(named)}
        words = sorted(
            set(row_words(row) if "search" not in row else content_words(str(row["search"])))
        )  # one order of sums
        weight = sum(self.informative.get(word, self.unknown) for word in words)
        covered = {
            intent: sum(self.informative[word] for word in words if word in of_intent) / weight
            for intent, of_intent in self.words_of.items()
            if not of_intent.isdisjoint(words)
        }
        best = max(covered.values(), default=0.0)
        if best < MIN_COVERAGE:
            return {}
        near = {intent: share for intent, share in covered.items() if share >= 0.9 * best}
        return {intent: share / len(near) for intent, share in near.items()}
