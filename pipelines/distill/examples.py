"""What the student learns from: the labelled sessions of one split, and the intents that there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pipelines.errors import TableError
from pipelines.student.labels import NAMED_FROM, embedding_matrix, score_matrix


@dataclass(frozen=True)
class Intents:
    """The taxonomy as far as the student needs it."""

    version: str
    names: Mapping[str, str]  # id: name, in the file's order: the axis C


@dataclass(frozen=True)
class Examples:
    """Labelled sessions in order of their ids."""

    embeddings: np.ndarray  # float32 (N, D)
    scores: np.ndarray  # float32 (N, C): the teacher's soft scores

    def __len__(self) -> int:
        return len(self.embeddings)

    def targets(self, hard_share: float) -> np.ndarray:
        """Returns what is learnt, float32 (N, C): the soft scores, and by ``hard_share`` whether they name an intent.

        Source: hard beside soft targets, Hinton, Vinyals & Dean 2015 (1503.02531). A score near one half says little
        of the side on which it lies, which is what is asked in the end.
        """
        named = (self.scores >= NAMED_FROM).astype(np.float32)
        return np.asarray(np.float32(hard_share) * named + np.float32(1 - hard_share) * self.scores)


def read_intents(path: Path) -> Intents:
    """Returns the intents of the taxonomy at ``path``.

    Raises:
        TableError: the file is missing, or does not list intents by id and name.
    """
    try:
        taxonomy = yaml.safe_load(path.read_text(encoding="utf-8"))
        listed = [intent for category in taxonomy["categories"] for intent in category["intents"]]
        names = {str(intent["id"]): str(intent["name"]) for intent in listed}
        version = str(taxonomy["version"])
    except FileNotFoundError:
        raise TableError(f"{path.name} is missing: run `python -m pipelines taxonomy` first") from None
    except (yaml.YAMLError, TypeError, KeyError):
        raise TableError(
            f"{path.name}: expected `version`, and `categories` of `intents` with `id` and `name`"
        ) from None
    if len(names) != len(listed) or not names:
        raise TableError(f"{path.name}: expected at least one intent, each with an `id` of its own")
    return Intents(version, names)


def examples_by_split(
    labels: pa.Table, sessions: pa.Table, embeddings: pa.Table, intents: Intents
) -> dict[str, Examples]:
    """Returns the labelled sessions of each split that has any.

    Raises:
        TableError: the labels are of another taxonomy, or train or valid holds none.
    """
    if set(labels.column("taxonomy_version").unique().to_pylist()) - {intents.version}:
        raise TableError("labels.parquet is of another version than taxonomy.yaml: re-run taxonomy")
    labels = labels.sort_by("session_id")
    ids = labels.column("session_id").combine_chunks()
    places = pc.index_in(ids, value_set=embeddings.column("session_id"))
    split_places = pc.index_in(ids, value_set=sessions.column("session_id"))
    if places.null_count or split_places.null_count:
        raise TableError("labels.parquet names a session that embeddings.parquet lacks: re-run taxonomy")
    vectors = embedding_matrix(embeddings.take(places))
    scores = score_matrix(labels, list(intents.names))
    splits = sessions.column("split").take(split_places).to_numpy()
    found = {split: Examples(vectors[splits == split], scores[splits == split]) for split in np.unique(splits)}
    for split in ("train", "valid"):
        if split not in found:
            raise TableError(
                f"labels.parquet: 0 labelled sessions in the {split} part, expected some: "
                "raise taxonomy.n_label, or move sessionize.split"
            )
    return found
