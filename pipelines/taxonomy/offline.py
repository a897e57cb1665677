"""The teacher without an LLM: it reads rendered sessions alone and names what it finds after the pages' own titles.

Topics of pages and searches become intents. A session is labelled by the words of its pages and the meaning of its
searches: a site says a thing in its own words, people in many. A second annotator does it the other way round. Not
covered: needs that the site's pages and searches do not tell apart, and languages other than English.
"""

from collections.abc import Sequence

from pipelines.errors import UnusableError
from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.schemas import OTHER
from pipelines.taxonomy import naming
from pipelines.taxonomy.document import Document, Labels, document
from pipelines.taxonomy.evidence import KeywordEvidence, session_labels
from pipelines.taxonomy.meaning import MeaningEvidence
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.rendering import RenderedSession, Row
from pipelines.taxonomy.topics import MIN_VISITS, topics
from pipelines.taxonomy.words import content, page_key, site_names

MODEL = "offline"


class OfflineTeacher:
    """Makes taxonomies and labels from words."""

    model = MODEL
    second_model = f"{MODEL}, the other way round"

    def __init__(self, params: TaxonomyParams) -> None:
        self.params = params
        self.read: Sequence[RenderedSession] = ()

    def study(self, sessions: Sequence[RenderedSession]) -> None:
        """Keeps the ``sessions`` (of the training part) from which it learns what an intent's texts mean."""
        self.read = sessions

    def propose(self, sessions: Sequence[RenderedSession], may: Quotable) -> Document:
        """Returns the taxonomy of what ``sessions`` show; an intent that leads in few of them is dropped.

        Raises:
            UnusableError: the sessions show nothing often enough to make a topic of it.
        """
        found = topics(sessions, self.params.max_intents)
        if not found:
            raise UnusableError(
                f"no page and no search is shown by {MIN_VISITS} of the {len(sessions)} sessions read, so no taxonomy "
                "can be made: raise taxonomy.n_read, or check that ingest maps `url`, `title` or `query`"
            )
        sites = site_names(one.key for topic in found for one in topic if not one.is_search)
        draft = document(naming.categories(found, sites, may), MODEL)
        labels = self.label(sessions, draft)
        return draft.supported([list(given or ()) for given in labels], self.params.min_sessions)

    def label(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of each session: its pages by their words, its searches by what they mean."""
        return self._labelled(sessions, taxonomy, searches_by_meaning=True)

    def label_again(self, sessions: Sequence[RenderedSession], taxonomy: Document) -> list[Labels | None]:
        """Returns the labels of each session the other way round: its pages by meaning, its searches by words."""
        return self._labelled(sessions, taxonomy, searches_by_meaning=False)

    def _labelled(
        self, sessions: Sequence[RenderedSession], taxonomy: Document, *, searches_by_meaning: bool
    ) -> list[Labels | None]:
        """Each row by one kind of evidence; a search that gives none of it by the other."""
        words, meaning = KeywordEvidence(taxonomy), MeaningEvidence(taxonomy, self.read)
        tables = [session.rows() for session in sessions]
        distinct = {content(row): row for rows in tables for row in rows}
        said = {text for row in distinct.values() if (text := meaning.said(row)) is not None}
        meant = meaning.of_texts(sorted(said))

        def of_row(row: Row) -> Labels:
            kinds = [words.of_row(row), meant.get(meaning.said(row) or "", {})]
            first, other = kinds[::-1] if ("search" in row) == searches_by_meaning else kinds
            return first or other if "search" in row else first

        evidence = {shown: of_row(row) for shown, row in distinct.items()}
        return [_labels(rows, [evidence[content(row)] for row in rows]) for rows in tables]

    def used(self) -> str:
        """Returns nothing: this teacher is free."""
        return ""

    def finish(self) -> None:
        """Has nothing to end."""


def _labels(rows: Sequence[Row], evidence: Sequence[Labels]) -> Labels:
    """A session that shows something beyond front doors, and no intent, has a need that the taxonomy lacks."""
    labels = session_labels(evidence)
    if labels or all(page_key(row) is None and "search" not in row for row in rows):
        return labels
    return {OTHER: 1.0}
