"""Embeddings of one encoder in the space of another, so that tables of before and after a retraining can meet.

Every champion pins anchors: sessions as the encoder reads them, with its own embeddings of them. `promote` embeds the
former champion's anchors by the new encoder and turns the new space into the former one: centred, scaled and rotated,
which keeps every angle and neighbour. The student goes on reading the native embedding that it was trained on.

Axis legend: N sessions, D dimensions of the new space, E of the former.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pipelines.errors import TableError
from pipelines.schemas import EMBEDDINGS, SESSIONS

ANCHORS: Final = pa.schema([*(SESSIONS.field(name) for name in ("session_id", "channel", "events")),
                            *(EMBEDDINGS.field(name) for name in ("embedding", "encoder_version"))])  # fmt: skip
"""Sessions as an encoder reads them, without whose they are, and what it made of them."""
ANCHORS_FILE: Final = "anchors.parquet"
ALIGNMENT_FILE: Final = "alignment.safetensors"

N_ANCHORS: Final = 2_000  # some thirty a dimension; a third of them judges
HELD_OUT: Final = 3  # every third anchor
MIN_ANCHORS: Final = 200
N_NEIGHBOURS: Final = 10
_ALIGNED: Final = "@"


@dataclass(frozen=True)
class Alignment:
    """The way from the space of encoder ``source`` to that of encoder ``target``."""

    source: str
    target: str
    centre: np.ndarray  # (D,)
    rotation: np.ndarray  # (D, E): orthogonal columns or rows, scaled
    shift: np.ndarray  # (E,)
    r2: float  # of the held-out anchors' former embeddings
    neighbour_overlap: float  # share of a held-out anchor's N_NEIGHBOURS nearest that are so in both spaces

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """Returns ``embeddings`` (N, D) of the source in the target's space, float32 (N, E)."""
        return np.asarray((embeddings - self.centre) @ self.rotation + self.shift, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Writes the alignment at ``path``: the same alignment, the same bytes."""
        named = {"centre": self.centre, "rotation": self.rotation, "shift": self.shift}
        figures = np.array([self.r2, self.neighbour_overlap])
        save_file({**named, "figures": figures}, path, {"source": self.source, "target": self.target})

    @classmethod
    def load(cls, path: Path) -> "Alignment":
        """Returns the alignment that was saved at ``path``.

        Raises:
            TableError: it cannot be read.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in ("centre", "rotation", "shift", "figures")}
                names: Mapping[str, str] = file.metadata()
        except (OSError, SafetensorError):
            raise TableError(f"{path.name} cannot be read: expected what `promote` wrote; promote again") from None
        r2, overlap = (float(figure) for figure in arrays.pop("figures"))
        return cls(names["source"], names["target"], **arrays, r2=r2, neighbour_overlap=overlap)


def fitted(source: str, target: str, new: np.ndarray, former: np.ndarray) -> Alignment:
    """Returns the alignment of anchors' ``new`` embeddings (N, D) with their ``former`` ones (N, E).

    Orthogonal Procrustes (Schönemann 1966) with a centre and one scale for all directions. Fitted on two thirds of the
    anchors; its figures are those of the rest.

    Raises:
        TableError: there are fewer than MIN_ANCHORS.
    """
    if len(new) < MIN_ANCHORS:
        raise TableError(f"{len(new)} anchors; an alignment needs {MIN_ANCHORS} at least: promote from more sessions")
    judged = np.arange(len(new)) % HELD_OUT == 0
    fit_new, fit_former = new[~judged].astype(np.float64), former[~judged].astype(np.float64)
    centre, shift = fit_new.mean(axis=0), fit_former.mean(axis=0)
    left, strengths, right = np.linalg.svd((fit_new - centre).T @ (fit_former - shift), full_matrices=False)
    scale = strengths.sum() / ((fit_new - centre) ** 2).sum()
    way = Alignment(source, target, centre, scale * (left @ right), shift, 0.0, 0.0)
    truth = former[judged].astype(np.float64)
    moved = way.apply(new[judged]).astype(np.float64)
    r2 = 1 - ((truth - moved) ** 2).sum() / ((truth - truth.mean(axis=0)) ** 2).sum()
    return Alignment(source, target, centre, way.rotation, shift, float(r2), neighbour_overlap(moved, truth))


def neighbour_overlap(first: np.ndarray, second: np.ndarray, n_neighbours: int = N_NEIGHBOURS) -> float:
    """Returns which share of the nearest ``n_neighbours`` by distance (N, any) agree between two spaces, 0 to 1."""
    nearest = []
    for vectors in (first, second):
        squares = (vectors**2).sum(axis=1)
        distances = squares[:, None] + squares - 2 * vectors @ vectors.T
        np.fill_diagonal(distances, np.inf)
        nearest.append(np.argsort(distances, axis=1, kind="stable")[:, :n_neighbours])
    shared = [len(np.intersect1d(one, other)) for one, other in zip(*nearest, strict=True)]
    return float(np.mean(shared) / n_neighbours)


def stacked(tables: Sequence[pa.Table], alignments: Iterable[Alignment] = (), space: str | None = None) -> pa.Table:
    """Returns ``tables`` (EMBEDDINGS) as one, all of it in one space; order is kept.

    Rows of another encoder are carried over, alignment by alignment; their `encoder_version` then reads `own@space`.

    Args:
        tables: of any encoders.
        alignments: the ways that there are.
        space: the encoder whose space it shall be; None: that of the first row.

    Raises:
        TableError: an embedding is of another encoder, from which no alignment leads into the space.
    """
    table = pa.concat_tables([table.select(EMBEDDINGS.names) for table in tables])
    versions = pc.unique(table.column("encoder_version")).to_pylist()
    wanted = space or (_space(versions[0]) if versions else "")
    if all(_space(version) == wanted for version in versions):
        return table
    ways = {way.source: way for way in alignments}
    rows = table.column("embedding").to_pylist()
    carried = np.array(table.column("encoder_version").to_pylist(), dtype=object)
    for version in versions:
        chosen = np.flatnonzero(carried == version)
        vectors = np.array([rows[row] for row in chosen], dtype=np.float32)
        for way in _path(_space(version), wanted, ways):
            vectors = way.apply(vectors)
        if _space(version) != wanted:
            carried[chosen] = f"{version.partition(_ALIGNED)[0]}{_ALIGNED}{wanted}"
        for row, vector in zip(chosen, vectors, strict=True):
            rows[row] = vector
    columns = [table.column("session_id"), pa.array(rows, EMBEDDINGS.field("embedding").type), pa.array(carried)]
    return pa.Table.from_arrays(columns, schema=EMBEDDINGS)


def _path(source: str, target: str, ways: Mapping[str, Alignment]) -> list[Alignment]:
    found: list[Alignment] = []
    while source != target:
        if source not in ways or len(found) > len(ways):
            start = found[0].source if found else source
            raise TableError(
                f"embeddings of {start} and of {target} do not lie in one space and cannot be joined: align them "
                "(`promote` makes the alignment), or embed the sessions again by one encoder"
            )
        found.append(ways[source])
        source = ways[source].target
    return found


def _space(version: str) -> str:
    return version.rpartition(_ALIGNED)[2]
