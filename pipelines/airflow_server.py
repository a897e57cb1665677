"""``make airflow``: Airflow with its UI on localhost, everything it keeps in .airflow/, until Ctrl-C.

Airflow's processes run as one process group, which gets one SIGTERM at the end: signals to single ones leave the others
behind. `airflow standalone` would also start servers for logs, which listen on every interface and serve nothing here
that the API server does not read from disk: they stay off. SQLite and one machine, for a person at a desk. A SIGKILL to
this very process leaves Airflow running without it.
"""

import argparse
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipelines import telemetry
from pipelines.errors import PipelineError

REPOSITORY: Final = Path(__file__).resolve().parents[1]
HOST: Final = "127.0.0.1"
USER: Final = "admin"
COMPONENTS: Final = ("api-server", "scheduler --skip-serve-logs", "dag-processor", "triggerer --skip-serve-logs")
START_SECONDS: Final = 180
STOP_SECONDS: Final = 15


class AirflowError(PipelineError):
    """Airflow could not start, or one of its processes ended."""


def main() -> int:
    """Runs Airflow until SIGINT, SIGTERM or SIGHUP; returns 0 for a clean stop, 1 with one message otherwise."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.airflow_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--home", type=Path, default=REPOSITORY / ".airflow", help="what Airflow keeps lies there")
    options = parser.parse_args()
    port, home = options.port, options.home.resolve()
    os.umask(0o077)
    home.mkdir(exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    try:
        with (home / "lock").open("w") as lock:
            _claim(lock.fileno(), port)
            _serve(home, port, stop)
    except AirflowError as error:
        print(f"airflow: {error}", file=sys.stderr)
        return 1
    return 0


def environment(home: Path, port: int, kept: Mapping[str, str]) -> dict[str, str]:
    """Returns what Airflow and its tasks run under; ``kept`` holds the password and the keys."""
    address = f"http://{HOST}:{port}"
    return {
        **telemetry.OFF,
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": kept["session_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": kept["token_key"],
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
    }


def _claim(lock: int, port: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.create_server((HOST, port)):
            pass
    except BlockingIOError:
        raise AirflowError("it already runs on this folder: stop that one first") from None
    except OSError:
        raise AirflowError(f"port {port} is taken: name another by `make airflow AIRFLOW_PORT=8081`") from None


def _kept(home: Path) -> dict[str, str]:
    """The password and the keys, made once and kept where only this user can read them."""
    path = home / "secrets.json"
    if not path.exists():
        made = {name: secrets.token_urlsafe(64) for name in ("session_key", "token_key")}
        path.write_text(json.dumps({"password": secrets.token_urlsafe(12), **made}), encoding="utf-8")
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    (home / "passwords.json").write_text(json.dumps({USER: kept["password"]}), encoding="utf-8")
    return kept


def _serve(home: Path, port: int, stop: threading.Event) -> None:
    kept = _kept(home)
    settings = environment(home, port, kept)
    print(f"starting Airflow (half a minute); its logs: {home}/*.log", flush=True)
    _migrate(home, settings)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for component in COMPONENTS:
            group = processes[0].pid if processes else 0
            processes.append(_start(home, component, settings, group))
        if _wait_until_healthy(port, processes, stop):
            print(f"Airflow: http://{HOST}:{port}  user: {USER}  password: {kept['password']}", flush=True)
            print("The DAGs are paused until you switch them on. Ctrl-C stops Airflow.", flush=True)
        while not stop.wait(1):
            _all_alive(processes)
    finally:
        _stop(processes)
        print("Airflow stopped", flush=True)


def _migrate(home: Path, settings: Mapping[str, str]) -> None:
    with (home / "migrate.log").open("wb") as log:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        if subprocess.run(command, env=settings, cwd=REPOSITORY, stdout=log, stderr=log, check=False).returncode:
            raise AirflowError(f"its database could not be prepared: see {log.name}")


def _start(home: Path, component: str, settings: Mapping[str, str], group: int) -> subprocess.Popen[bytes]:
    name, *options = component.split()
    with (home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", name, *options],
            env=settings,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=group,
        )


def _all_alive(processes: list[subprocess.Popen[bytes]]) -> None:
    for process, component in zip(processes, COMPONENTS, strict=True):
        if process.poll() is not None:
            name = component.split()[0]
            raise AirflowError(f"its {name} ended with code {process.returncode}: see {name}.log in its home")


def _wait_until_healthy(port: int, processes: list[subprocess.Popen[bytes]], stop: threading.Event) -> bool:
    """Returns True once every process reports health, False if asked to stop before."""
    for _ in range(START_SECONDS):
        if stop.wait(1):
            return False
        _all_alive(processes)
        if _healthy(port):
            return True
    raise AirflowError(f"not healthy after {START_SECONDS} seconds: see the logs in its home")


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/api/v2/monitor/health", timeout=5) as answer:
            health = json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    return all(health[part]["status"] == "healthy" for part in parts)


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """One SIGTERM to the group; what is still there after STOP_SECONDS is killed."""
    if not processes:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(processes[0].pid, number)
        except ProcessLookupError:
            return
        for process in processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                break
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
