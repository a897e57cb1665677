"""Airflow's Python in a process of its own: what it imports, sets up and leaves behind stays there."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tiny import REPOSITORY, child_environment

FOUND = "FOUND "
"""What a line of JSON begins with that the code hands back."""


def in_airflow(code: str, root: Path, home: Path, *arguments: str) -> tuple[list[Any], str]:
    """Runs ``code`` in the repository on the workspace ``root``, which must succeed.

    Returns:
        What it handed back, a value for each line that begins with FOUND; and all that it printed.
    """
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "CLICKS_ROOT": str(root),
    }
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **child_environment(), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:]
    lines = [line.removeprefix(FOUND) for line in result.stdout.splitlines() if line.startswith(FOUND)]
    assert lines, result.stdout[-5000:]
    return [json.loads(line) for line in lines], result.stdout
