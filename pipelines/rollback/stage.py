"""rollback: champion.json -> the version that was the champion before this one."""

from pipelines import champion
from pipelines.errors import ChampionError
from pipelines.params import Params
from pipelines.paths import Workspace, staged


def run(workspace: Workspace, params: Params) -> None:
    """Makes the version that held before the present champion was promoted the champion again; no bundle is deleted.

    Raises:
        ChampionError: there is no champion, or none before it, or the former bundle is damaged.
    """
    del params
    with champion.claim(workspace):
        present = champion.current(workspace)
        if present.manifest.previous is None:
            raise ChampionError(f"{present.version} is the first champion: there is none to return to")
        former = champion.current(workspace, present.manifest.previous)
        with staged(workspace, "rollback") as staging:
            champion.write_json(staging.path(workspace.champion), former.manifest.record)
    print(f"rollback: {former.version} is the champion again, instead of {present.version}")
