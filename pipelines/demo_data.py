"""``make data``: the demo bank in data/, the same bytes as data.dvc names, from wherever it can be had.

From the DVC cache, else from a DVC remote if there is one, else made anew by ``simulate``, whose hash is compared and
which then fills the cache. It never writes over a data/ that exists.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipelines import telemetry
from pipelines.errors import PipelineError
from pipelines.paths import Workspace

TRACKED: Final = "data.dvc"


class DvcError(PipelineError):
    """DVC could not do what only DVC can."""


def main() -> int:
    """Provides data/ in the current folder; returns 0, or 1 with one message where that is impossible."""
    telemetry.switch_off()
    try:
        provide(Workspace(Path.cwd()))
    except PipelineError as error:
        print(f"data: {error}", file=sys.stderr)
        return 1
    return 0


def provide(workspace: Workspace) -> None:
    """Makes sure that data/ is there, and says where it came from."""
    if workspace.data.exists():
        _say(_about_existing(workspace))
    elif _tracked(workspace) and _restored(workspace):
        pass
    else:
        _make(workspace)


def _about_existing(workspace: Workspace) -> str:
    if not (workspace.data / "demo_bank.json").exists():
        return "data/ is not the demo bank (it has no demo_bank.json): left as it is"
    if not _tracked(workspace) or _same(workspace):
        return "data/ is the demo bank"
    return f"data/ is a demo bank, but not that of {TRACKED}; kept. For that one: remove data/, then `make data`"


def _restored(workspace: Workspace) -> bool:
    if _dvc(workspace, "checkout", TRACKED).returncode == 0:
        _say("data/ comes from the DVC cache")
        return True
    if not _dvc(workspace, "remote", "list").stdout.strip():
        return False
    _say("pulling data/ from the DVC remote")
    if _dvc(workspace, "pull", TRACKED).returncode == 0:
        _say("data/ comes from the DVC remote")
        return True
    _say("the remote gave no data/ (not reachable, or it lacks it): making the demo bank anew")
    return False


def _make(workspace: Workspace) -> None:
    command = [sys.executable, "-m", "pipelines", "simulate", "--root", str(workspace.root)]
    if subprocess.run(command, check=False).returncode:
        raise PipelineError("the demo bank could not be made: see the message above")
    if not _tracked(workspace):
        return
    if not _same(workspace):
        _say(f"warning: this demo bank is not that of {TRACKED}: params.yaml (`seed`, `simulate`) or the code of")
        _say("simulate/ changed since, or this computer draws otherwise. Going on; figures may differ from the README")
    elif _dvc(workspace, "commit", "--force", TRACKED).returncode:
        raise DvcError(f"the DVC cache could not be filled: run `dvc commit {TRACKED}` to see why")
    else:
        _say(f"data/ has the hash of {TRACKED}")


def _same(workspace: Workspace) -> bool:
    """Whether data/ hashes to what data.dvc says, be it in the cache or not."""
    status = _dvc(workspace, "data", "status", "--json")
    if status.returncode:
        raise DvcError(f"`dvc data status` failed: {_last_line(status.stderr)}")
    uncommitted: dict[str, list[str]] = json.loads(status.stdout).get("uncommitted", {})
    return not any("data/" in changed for changed in uncommitted.values())


def _tracked(workspace: Workspace) -> bool:
    return (workspace.root / TRACKED).exists()


def _dvc(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
