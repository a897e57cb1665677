"""The whole pipeline on one draw of a world after the other: what is finished is kept, what was cut off begins anew.

A finished run is one folder .work/worlds/<state>/<world>-<seed>/ with params.yaml, reports/ and what the commands
printed; its data and models are deleted. <state> hashes the params and all sources, so nothing stale is ever read.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipelines import params as params_file
from pipelines.__main__ import STAGES
from pipelines.paths import Workspace

COMMANDS: Final = ("simulate", *STAGES)
PIPELINE: Final = (sys.executable, "-m", "pipelines")
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Two runs of one thread use two cores better than one of two; and the digits do not depend on how many run."""
PRINTED: Final = "printed.txt"
N_LAST_LINES: Final = 8


class RunError(Exception):
    """A command of a run failed, or the sources changed while one ran; the message says what to do."""


class StoppedError(Exception):
    """This run was stopped because another failed or a person interrupted. Never leaves this module."""


@dataclass(frozen=True)
class Draw:
    """One bank: a world of ``simulate.world`` and the seed that draws it."""

    world: str
    seed: int

    def __str__(self) -> str:
        return f"{self.world} seed {self.seed}"


@dataclass
class Children:
    """The processes started here; after ``stop`` none of them is left and none starts."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    stopped: bool = False

    def run(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], printed: Path) -> int:
        """Runs ``command`` in ``folder``, what it prints added to the file ``printed``; returns its exit code.

        Raises:
            StoppedError: ``stop`` was called, before or meanwhile.
        """
        with printed.open("ab") as stream:
            with self.lock:
                if self.stopped:
                    raise StoppedError
                # a session of its own: Ctrl-C reaches this program alone, which then ends all below it
                process = subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
                )
                self.running.add(process)
            code = process.wait()
        with self.lock:
            self.running.discard(process)
            if self.stopped:
                raise StoppedError
        return code

    def stop(self) -> None:
        """Kills what runs: it is begun anew the next time, so there is nothing to save."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Runs:
    """The runs of the sources and params as they are now."""

    repository: Path
    overrides: Sequence[str]
    command: Sequence[str]  # what `python -m pipelines` is, without a command's name
    state: str
    children: Children = field(default_factory=Children)

    @classmethod
    def now(cls, repository: Path, overrides: Sequence[str], command: Sequence[str] = PIPELINE) -> "Runs":
        """Returns the runs of ``repository`` with ``overrides`` of its params.yaml.

        Raises:
            ParamsError: params.yaml or an override is not what the schema allows.
        """
        return cls(repository, overrides, command, state_of(repository, overrides))

    def folder(self, draw: Draw) -> Path:
        """The folder of a finished run: it is there as soon as the run is finished, and never before."""
        return self.repository / ".work" / "worlds" / self.state / f"{draw.world}-{draw.seed}"

    def values(self, draw: Draw) -> list[str]:
        """Returns what ``--set`` is given for a draw; quoted, since a bare null is no word in YAML."""
        return [*self.overrides, f"seed={draw.seed}", f"simulate.world={json.dumps(draw.world)}"]

    def finish(self, draws: Sequence[Draw], n_jobs: int) -> None:
        """Runs every draw that is not finished, ``n_jobs`` at a time; the first failure ends all of them.

        Raises:
            RunError: a command failed, or params.yaml or the sources are no longer those of the beginning.
        """
        waiting = [draw for draw in draws if not self.folder(draw).is_dir()]
        for draw in draws:
            if draw not in waiting:
                _say(f"{draw}: finished before, read from {self.folder(draw).relative_to(self.repository)}")
        pool = ThreadPoolExecutor(n_jobs)
        try:
            for future in as_completed([pool.submit(self._run, draw) for draw in waiting]):
                future.result()
        finally:  # after success nothing is left to stop; after a failure or Ctrl-C all that runs is
            self.children.stop()
            pool.shutdown(cancel_futures=True)

    def metrics(self, draw: Draw) -> dict[str, Any]:
        """Returns reports/metrics.json of a finished run."""
        found = json.loads(Workspace(self.folder(draw)).metrics.read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    def _run(self, draw: Draw) -> None:
        folder = self.folder(draw)
        unfinished = Workspace(folder.with_name(f"{folder.name}.unfinished"))
        shutil.rmtree(unfinished.root, ignore_errors=True)
        unfinished.root.mkdir(parents=True)
        shutil.copy(self.repository / "params.yaml", unfinished.params)
        _say(f"{draw} begins")
        start = time.perf_counter()
        try:
            self._run_commands(draw, unfinished)
        except StoppedError:
            shutil.rmtree(unfinished.root, ignore_errors=True)
            raise
        for path in unfinished.root.iterdir():
            if path.is_dir() and path != unfinished.reports:
                shutil.rmtree(path)
        unfinished.root.rename(folder)
        _say(f"{draw} took {time.perf_counter() - start:.0f} s")

    def _run_commands(self, draw: Draw, workspace: Workspace) -> None:
        options = ["--root", str(workspace.root), *(word for value in self.values(draw) for word in ("--set", value))]
        printed = workspace.root / PRINTED
        for name in COMMANDS:
            code = self.children.run([*self.command, name, *options], self.repository, _environment(), printed)
            if code:
                raise RunError(f"{draw}: {name} left with {code}\n{_last_lines(printed)}\nall it printed: {printed}")
        if state_of(self.repository, self.overrides) != self.state:
            raise RunError(f"{draw}: params.yaml or the sources changed while it ran: dropped; run this again")


def state_of(repository: Path, overrides: Sequence[str]) -> str:
    """Returns a hash of all that a run's figures depend on: params, sources of pipelines/, locked packages.

    Raises:
        ParamsError: params.yaml or an override is not what the schema allows.
    """
    params = params_file.load(repository / "params.yaml", overrides)
    digest = hashlib.sha256(params.model_dump_json(by_alias=True).encode())
    for file in _sources(repository):
        digest.update(f"\0{file.relative_to(repository).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _sources(repository: Path) -> Iterator[Path]:
    yield repository / "requirements.txt"
    for path in sorted((repository / "pipelines").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _environment() -> dict[str, str]:
    """This process's environment with one thread, and without a key of the ids: the demo bank has its own."""
    kept = {name: value for name, value in os.environ.items() if name != "CLICKS_ID_KEY"}
    return kept | ONE_THREAD


def _last_lines(printed: Path) -> str:
    return "\n".join(printed.read_text(encoding="utf-8", errors="replace").splitlines()[-N_LAST_LINES:])


def _say(line: str) -> None:
    print(f"worlds: {line}\n", end="", flush=True)  # one write, so that two runs do not share a line
