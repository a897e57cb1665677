"""A person at Airflow's REST API, and the server that answers: real processes on a free port, a home of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny import REPOSITORY, child_environment

from pipelines.paths import Workspace

START_SECONDS = 300
RUN_SECONDS = 900
SETTLE_SECONDS = 10  # Airflow 3.3 may fail a task that is answered while its process still leaves


class Server:
    """Airflow on one workspace; ``start`` may follow ``stop`` or ``kill``."""

    def __init__(self, workspace: Workspace, home: Path, settings: dict[str, str]) -> None:
        self.home, self.port = home, free_port()
        self.settings = {**child_environment(), **settings, "CLICKS_ROOT": str(workspace.root)}
        self.process: subprocess.Popen[bytes] | None = None
        self.token = self.password = ""
        self.begin = 0  # of what the present start printed, in server.log

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        with (self.home / "server.log").open("ab") as log:
            self.begin = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.airflow_server", "--port", str(self.port), "--home", str(self.home)],
                cwd=REPOSITORY,
                env=self.settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: b"password:" in self.printed() or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.printed().decode()
        self.password = json.loads((self.home / "secrets.json").read_text("utf-8"))["password"]
        answer = self.call("POST", "/auth/token", {"username": "admin", "password": self.password})
        self.token = answer["access_token"]

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def printed(self) -> bytes:
        """What the present start printed."""
        return (self.home / "server.log").read_bytes()[self.begin :]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that Airflow answers; a refusal raises urllib.error.HTTPError."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.token}"} if self.token else {})},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") and text else text

    def status_of(self, path: str, token: str) -> int:
        """The HTTP status of a page for whoever holds ``token``; nobody in particular holds none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def switch_on(self, dag_id: str) -> None:
        """What the switch beside a DAG's name does."""
        self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Starts a run as a person does; returns its id."""
        self.switch_on(dag_id)
        body = {"logical_date": None, "conf": conf or {}}
        return str(self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The state of every task of a run."""
        found = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def why_skipped(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The reason that a skipped task left where the UI shows it."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/skipped"
        return str(self.call("GET", path)["value"])

    def runs(self, dag_id: str, run_type: str) -> list[str]:
        """The ids of the runs of a type: scheduled, asset_triggered, or manual."""
        found = self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?run_type={run_type}&order_by=run_after")["dag_runs"]
        return [run["dag_run_id"] for run in found]

    def first_run(self, dag_id: str, run_type: str) -> str:
        """The id of the first such run, once there is one."""
        wait_for(lambda: bool(self.runs(dag_id, run_type)), RUN_SECONDS)
        return self.runs(dag_id, run_type)[0]

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait_until_over(self, dag_id: str, run_id: str) -> str:
        """The final state of a run."""
        wait_for(lambda: self.state(dag_id, run_id) in ("success", "failed"), RUN_SECONDS)
        return self.state(dag_id, run_id)

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, *states: str) -> str:
        """Waits until a task is in one of ``states``; fails at once where the run ended otherwise."""

        def reached() -> bool:
            now = self.tasks(dag_id, run_id)
            over = self.state(dag_id, run_id) in ("success", "failed")
            assert now[task_id] in states or not over, now
            return now[task_id] in states

        wait_for(reached, RUN_SECONDS)
        return str(self.tasks(dag_id, run_id)[task_id])

    def question(self, run_id: str, task_id: str) -> dict[str, Any]:
        """What the form of a waiting task shows."""
        self.wait_for_task("retrain", run_id, task_id, "awaiting_input")
        path = f"/api/v2/dags/retrain/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        found: dict[str, Any] = self.call("GET", path)
        return found

    def answer(self, run_id: str, task_id: str, option: str) -> None:
        time.sleep(SETTLE_SECONDS)
        path = f"/api/v2/dags/retrain/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self.call("PATCH", path, {"chosen_options": [option], "params_input": {}})

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """What the button of that name does: the task and all after it run again."""
        body = {
            "dry_run": False, "dag_run_id": run_id, "task_ids": [task_id], "include_downstream": True,
            "only_failed": False, "reset_dag_runs": True,
        }  # fmt: skip
        self.call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        return json.dumps(self.call("GET", path))


def wait_for(ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(1)


def processes(*words: str) -> list[int]:
    """The ids of the running processes whose command line holds all of ``words``, newest last."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in line for word in words) and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return sorted(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
