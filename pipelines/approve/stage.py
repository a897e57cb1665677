"""approve: what the taxonomy stage proposes -> taxonomy.yaml, if a person agrees."""

import sys

from pipelines.approve.pending import approve, pending
from pipelines.errors import ApprovalError
from pipelines.params import Params
from pipelines.paths import Workspace


def run(workspace: Workspace, params: Params, *, yes: bool) -> None:
    """Shows what awaits approval and, on a yes, makes it the approved taxonomy; later runs of the stages use it.

    Raises:
        ApprovalError: nothing awaits approval, or nobody can be asked.
    """
    awaited = pending(workspace)
    if awaited is None:
        raise ApprovalError(
            "nothing awaits approval: the taxonomy stage proposes one when none is approved, or when coverage or "
            '"other" pass taxonomy.min_coverage and taxonomy.max_other_share'
        )
    print(awaited.summary())
    if awaited.diff is not None:
        print(f"The same as a page: {workspace.taxonomy_diff_page.relative_to(workspace.root)}")
    if not yes:
        if not sys.stdin.isatty():
            raise ApprovalError("nobody can be asked here: add --yes to approve what is shown above")
        if input("Approve? [y/N] ").strip().casefold() not in {"y", "yes"}:
            print("approve: not approved; nothing changed")
            return
    approve(workspace, awaited)
    print(f"approve: {awaited.proposed.version} is in taxonomy.yaml: commit it, and run `dvc repro`")
