"""Which taxonomy a run works by: the one that somebody approved since, or the champion's."""

import shutil

from pipelines import champion
from pipelines.champion import Champion
from pipelines.paths import Workspace
from pipelines.taxonomy import document


def settle(workspace: Workspace, made: Workspace, present: Champion) -> bool:
    """Returns whether another taxonomy was approved since; where none was, puts the champion's into the worktree.

    So ids stay. One that the champion's was made from is none: its successor was approved in a run, which leaves the
    user's own taxonomy.yaml as it is.
    """
    approved, held = document.approved(made.approved_taxonomy), present.manifest.record.taxonomy_version
    if approved is None or approved.version in made_from(workspace, held):
        shutil.copyfile(present.folder / champion.TAXONOMY, made.approved_taxonomy)
        return False
    return approved.version != held


def made_from(workspace: Workspace, version: str) -> set[str]:
    """Returns the taxonomies from which ``version`` came, one after the other, as far as bundles were kept."""
    bundles = [workspace.champions / name / champion.TAXONOMY for name in champion.promoted(workspace)]
    parents = {one.version: one.parent_version for one in map(document.approved, bundles) if one}
    found, parent = set[str](), parents.get(version)
    while parent and parent not in found:
        found.add(parent)
        parent = parents.get(parent)
    return found - {version}
