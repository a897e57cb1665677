"""When the approved taxonomy no longer fits, and what is proposed in its place."""

from collections.abc import Sequence

from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.rendering import RenderedSession
from pipelines.taxonomy.scores import covered_share, other_share
from pipelines.taxonomy.teacher import Teacher
from pipelines.taxonomy.versions import Diff, renewed

MAX_COMPARED = 1_000  # sessions that both taxonomies are given to label


def why_renew(labels: Sequence[Labels], params: TaxonomyParams) -> str | None:
    """Returns why a new taxonomy should be proposed, or None while the approved one fits."""
    covered, other = covered_share(labels), other_share(labels)
    if covered is None or other is None:
        return None
    if covered < params.min_coverage:
        return (
            f"{covered:.1%} of the sessions get an intent, less than taxonomy.min_coverage ({params.min_coverage:.1%})"
        )
    if other > params.max_other_share:
        return (
            f"{other:.1%} of the sessions show a need that no intent covers, more than taxonomy.max_other_share "
            f"({params.max_other_share:.1%})"
        )
    return None


def proposal(
    asked: Teacher, read: Sequence[RenderedSession], approved: Document, why: str, may: Quotable
) -> tuple[Document, Diff]:
    """Returns the taxonomy that the sessions ``read`` now ask for, with the approved one's ids, and what it changes."""
    made = may.floored(asked.propose(read, may))
    compared = read[:MAX_COMPARED]  # in the order of their ids, which are hashes: any of them
    old_labels = [given or {} for given in asked.label(compared, approved)]
    new_labels = [given or {} for given in asked.label(compared, made)]
    return renewed(approved, made, old_labels, new_labels, why)
