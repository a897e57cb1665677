"""What awaits approval. An approval gate asks ``pending`` what to show, and calls ``approve`` when a person agrees."""

import hashlib
import os
from dataclasses import dataclass

from pipelines.errors import ApprovalError
from pipelines.paths import Workspace
from pipelines.taxonomy import document
from pipelines.taxonomy.diff_page import HEADINGS
from pipelines.taxonomy.document import Document
from pipelines.taxonomy.versions import Diff


@dataclass(frozen=True)
class Pending:
    """A taxonomy that nobody approved yet."""

    proposed: Document
    diff: Diff | None  # None: the first one, which replaces nothing
    replaces: str  # hash of taxonomy.yaml as it was when this was looked at

    def summary(self) -> str:
        """Returns what it changes, for people."""
        if self.diff is None:
            lines = [f"The first taxonomy, {self.proposed.version}: {len(self.proposed.intents)} intents"]
            for category in self.proposed.categories:
                lines += [category.name, *(f"  {intent.name}  ({intent.id})" for intent in category.intents)]
            return "\n".join(lines)
        churn = "unknown" if self.diff.churn is None else f"{self.diff.churn:.1%}"
        lines = [
            f"{self.diff.from_version} -> {self.diff.to_version}, because {self.diff.why}",
            f"churn: {churn} of {self.diff.n_sessions:,} sessions get another main intent",
        ]
        for kind, heading in HEADINGS.items():
            changes = self.diff.of_kind(kind)
            lines += [f"{heading}: {len(changes)}"] if changes else []
            if kind != "kept":
                lines += [f"  {_named(change.before)} -> {_named(change.after)}" for change in changes]
        return "\n".join(lines)


def pending(workspace: Workspace) -> Pending | None:
    """Returns what awaits approval, or None.

    Raises:
        ApprovalError: the proposal was made for another approved taxonomy than the present one.
        TeacherError: a taxonomy file is not one.
    """
    held = document.approved(workspace.approved_taxonomy)
    if held is None:
        first = document.approved(workspace.used_taxonomy)
        return Pending(first, None, _hash(workspace)) if first else None
    proposed = document.approved(workspace.proposed_taxonomy)
    if proposed is None or not workspace.taxonomy_diff.exists() or proposed.version == held.version:
        return None
    if proposed.parent_version != held.version:
        raise ApprovalError(
            f"the proposal was made for {proposed.parent_version}, and {held.version} is approved now: re-run taxonomy"
        )
    diff = Diff.model_validate_json(workspace.taxonomy_diff.read_text(encoding="utf-8"))
    return Pending(proposed, diff, _hash(workspace))


def approve(workspace: Workspace, awaited: Pending) -> None:
    """Makes ``awaited`` the approved taxonomy: taxonomy.yaml is replaced in one step, or stays as it was.

    Raises:
        ApprovalError: taxonomy.yaml changed since ``awaited`` was looked at.
    """
    if _hash(workspace) != awaited.replaces:
        raise ApprovalError("taxonomy.yaml changed meanwhile: look at the proposal again")
    unfinished = workspace.approved_taxonomy.with_name(".taxonomy.yaml.unfinished")
    with unfinished.open("w", encoding="utf-8") as stream:
        stream.write(awaited.proposed.to_yaml())
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.replace(workspace.approved_taxonomy)


def _named(names: dict[str, str]) -> str:
    return " + ".join(names.values()) or "nothing"


def _hash(workspace: Workspace) -> str:
    path = workspace.approved_taxonomy
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
