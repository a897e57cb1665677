"""The page: points, colourings and a script, in one file that loads nothing."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PALETTE: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b5a900")
"""Okabe & Ito's colours, which people with any common colour blindness tell apart (yellow darkened for white)."""
REST: Final = "#70757b"
FAINT: Final = "#b9bec4"
MAX_STEPS: Final = 14  # of a session's path
_TEMPLATE: Final = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class Point:
    """One session: where it lies and what is shown of it."""

    x: float
    y: float
    when: str
    path: Sequence[str]
    intents: Sequence[str]


@dataclass(frozen=True)
class Colouring:
    """One way to colour the points."""

    title: str
    kinds: Sequence[str]
    colours: Sequence[str]
    counts: Sequence[int]
    of: Sequence[int]  # of each point, a place in `kinds`

    @classmethod
    def of_values(cls, title: str, values: Sequence[str], kinds: Mapping[str, str]) -> "Colouring":
        """Returns the colouring of ``values`` by ``kinds``, each with its colour."""
        places = {kind: place for place, kind in enumerate(kinds)}
        of = [places[value] for value in values]
        counts = Counter(of)
        return cls(title, list(kinds), list(kinds.values()), [counts[place] for place in range(len(kinds))], of)


def coloured(title: str, values: Sequence[str], other: str, none: str) -> Colouring:
    """Returns the colouring of ``values`` by the commonest, the ``other`` ones and ``none`` grey."""
    named = Counter(sorted(value for value in values if value != none))
    kinds = dict(zip([kind for kind, _ in named.most_common(len(PALETTE))], PALETTE, strict=False))
    shown = [value if value in kinds or value == none else other for value in values]
    greys = {other: REST, none: FAINT}
    return Colouring.of_values(title, shown, kinds | {kind: grey for kind, grey in greys.items() if kind in shown})


def page(points: Sequence[Point], colourings: Sequence[Colouring], n_sessions: int, simulated: bool) -> str:
    """Returns the page as text."""
    shown = [
        {
            "x": round(point.x, 4),
            "y": round(point.y, 4),
            "when": point.when,
            "path": list(point.path[:MAX_STEPS]),
            "more": max(0, len(point.path) - MAX_STEPS),
            "intents": list(point.intents),
        }
        for point in points
    ]
    content = {
        "points": shown,
        "colourings": [asdict(colouring) for colouring in colourings],
        "n_sessions": n_sessions,
        "simulated": simulated,
        "greys": [FAINT, REST],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace("/*CONTENT*/", text)
