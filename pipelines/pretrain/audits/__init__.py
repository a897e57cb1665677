"""What an encoder must show before anything is built on it: one file and one line here an audit, gated by limits.

Axis legend: N sessions, D embedding.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pipelines.errors import AuditError
from pipelines.params import Audits
from pipelines.pretrain.audits import collapse, leakage, order, padding
from pipelines.pretrain.audits.subject import Subject

Figures = dict[str, float]

AUDITS: Final[dict[str, Callable[[Subject], Figures]]] = {
    "padding": padding.measure,
    "collapse": collapse.measure,
    "order": order.measure,
    "leakage": leakage.measure,
}


def measured(subject: Subject) -> dict[str, Figures]:
    """Returns the figures of every audit; one that has too few sessions to tell is without any."""
    return {name: measure(subject) for name, measure in AUDITS.items()}


def write(figures: Mapping[str, Figures], path: Path) -> None:
    """Writes ``figures`` at ``path``, to the digits that another run of the same seed repeats, whatever its kernels."""
    rounded = {audit: {name: _rounded(value) for name, value in found.items()} for audit, found in figures.items()}
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def insist(figures: Mapping[str, Figures], limits: Audits) -> None:
    """Passes when every figure that a limit bounds is within it.

    Raises:
        AuditError: some are not; the message names each, and its limit.
    """
    beyond = []
    for key, limit in limits.model_dump().items():
        side, _, name = key.partition("_")
        for audit, found in figures.items():
            for figure, value in found.items():
                over = value > limit if side == "max" else value < limit
                if over and figure.endswith(name):
                    beyond.append(f"{audit}.{figure} is {value:.4g}; pretrain.audits.{key} is {limit:g}")
    if beyond:
        raise AuditError(
            "the encoder failed its audits, and nothing was replaced:\n  " + "\n  ".join(beyond) + "\n"
            "pipelines/pretrain/audits/ says what each means: change objectives, fields, epochs or a limit"
        )


def _rounded(value: float) -> float:
    """To four decimals; what is as small as a rounding error itself, to two digits."""
    return round(value, 4) if abs(value) >= 0.001 else float(f"{value:.1e}")
