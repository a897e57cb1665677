"""How good a taxonomy and its labels are, without knowing any truth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score

from pipelines.errors import UnusableError
from pipelines.schemas import OTHER
from pipelines.student.labels import NAMED_FROM
from pipelines.taxonomy.document import Document, Labels
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.rendering import RenderedSession
from pipelines.taxonomy.teacher import Teacher

NOTHING = "none"
N_MOST_OVERLAPPING = 5
KEPT_SHARE = 0.5  # of the sessions read that each remaking sees


def covered_share(labels: Sequence[Labels]) -> float | None:
    """Returns the share of sessions that some intent was given to."""
    return _share(sum(any(intent != OTHER for intent in given) for given in labels), len(labels))


def other_share(labels: Sequence[Labels]) -> float | None:
    """Returns the share of sessions with a need that no intent covers."""
    return _share(sum(strongest(given) == OTHER for given in labels), len(labels))


def strongest(labels: Labels) -> str:
    """Returns the first intent, "other", or "none" where the session gave no evidence of any need."""
    return next(iter(labels), NOTHING)


def agreement(first: Mapping[str, Labels], second: Mapping[str, Labels]) -> dict[str, Any]:
    """Returns how often two labellings name the same first, and Cohen's kappa (agreement beyond chance)."""
    pairs = [(strongest(first[session]), strongest(given)) for session, given in second.items() if session in first]
    if not pairs:
        return {"n_sessions": 0, "same_strongest_share": None, "kappa": None}
    ones, others = zip(*pairs, strict=True)
    kappa = float(cohen_kappa_score(ones, others)) if len({*ones, *others}) > 1 else 1.0
    same = _share(sum(one == other for one, other in pairs), len(pairs))
    return {"n_sessions": len(pairs), "same_strongest_share": same, "kappa": round(kappa, 6)}


def overlap(labels: Sequence[Labels], taxonomy: Document) -> dict[str, Any]:
    """Returns how far intents share their sessions: of each, the greatest Jaccard index with another; and the worst."""
    named = [{intent for intent, score in given.items() if score >= NAMED_FROM} for given in labels]
    sizes = Counter(intent for given in named for intent in given)
    both = Counter((one, other) for given in named for one in given for other in given if one < other)
    shares = {pair: count / (sizes[pair[0]] + sizes[pair[1]] - count) for pair, count in both.items()}
    worst = sorted(shares.items(), key=lambda item: (-item[1], item[0]))[:N_MOST_OVERLAPPING]
    greatest = [
        max((share for pair, share in shares.items() if intent in pair), default=0.0) for intent in taxonomy.intent_ids
    ]
    return {
        "mean_greatest_jaccard": round(float(np.mean(greatest)), 6),
        "most": [{"intents": list(pair), "jaccard": round(share, 6)} for pair, share in worst],
    }


@dataclass(frozen=True)
class Remade:
    """What taxonomies made anew say of the same sessions."""

    session_ids: list[str]
    strongest: list[list[str]]  # by taxonomy, of each session
    n_intents: list[int]

    def report(self) -> dict[str, Any]:
        """Returns the adjusted Rand index over all pairs: names do not matter, chance counts zero."""
        pairs = [round(float(adjusted_rand_score(one, other)), 6) for one, other in combinations(self.strongest, 2)]
        return {"adjusted_rand": round(float(np.mean(pairs)), 6), "by_pair": pairs, "n_intents": self.n_intents}


def remade(
    asked: Teacher, read: Sequence[RenderedSession], judged: Sequence[RenderedSession], may: Quotable, seeds: int
) -> Remade | None:
    """Returns the labels of ``judged`` by taxonomies from different halves of ``read``; None with fewer than two.

    A half that nothing usable comes of is left out: the labels by the whole stand without it.
    """
    if seeds < 2 or not judged:
        return None
    labellings, sizes = [], []
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).permutation(len(read))[: max(1, round(KEPT_SHARE * len(read)))]
        try:
            taxonomy = asked.propose([read[place] for place in sorted(chosen)], may)
            labels = asked.label(judged, taxonomy)
        except UnusableError:
            continue
        labellings.append([strongest(given or {}) for given in labels])
        sizes.append(len(taxonomy.intents))
    return Remade([session.session_id for session in judged], labellings, sizes) if len(labellings) > 1 else None


def _share(count: int, total: int) -> float | None:
    return round(count / total, 6) if total else None
