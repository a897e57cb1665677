"""``make bench-student``: how fast the student answers, and how well beside rivals on the same labels.

Speed, in this process, on two cores at most: one session from its embedding, many in batches, and one from its raw
events (canonical events as the session holds them: tokens, encoder, student; neither torch nor a server). Quality, on
the demo bank's labelled test sessions: the two networks on the frozen embedding, soft or hard targets alone, and
rivals on raw page counts. Reads the artifacts of the last ``dvc repro``.
"""

import itertools
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.console import leave_with
from benchmarks.report import Row, Section, write_columns
from benchmarks.student_rivals import rivals
from pipelines import schemas
from pipelines.encoder import Runtime
from pipelines.paths import Workspace
from pipelines.student import Student
from pipelines.student.labels import embedding_matrix
from pipelines.student.single import Single
from pipelines.tables import read_table

REPOSITORY: Final = Path(__file__).parent.parent
N_WARM, N_CALLS, N_SESSIONS = 500, 20_000, 3_000
N_BATCHED, N_PASSES = 1_000_000, 5

SPEED: Final[Section] = (
    "From an embedding to intents (student), from raw events to intents (raw_events)",
    {"p50_us": ("one session, median, microseconds", ",.1f"), "p99_us": ("one session, 99th percentile", ",.1f")},
)
BATCHES: Final[Section] = ("In batches", {"sessions_per_second": ("sessions a second", ",.0f")})
QUALITY: Final[Section] = (
    "Against the teacher, labelled test sessions (offline teacher, simulated bank: machinery only)",
    {
        "fidelity_micro_f1": ("micro F1", ".4f"),
        "fidelity_macro_f1": ("macro F1", ".4f"),
        "brier": ("Brier score", ".4f"),
        "ece_top_intent": ("calibration error, top intent", ".4f"),
        "train_seconds": ("seconds to train", ".1f"),
    },
)


def main() -> None:
    """Prints the tables and writes reports/bench/student.json."""
    workspace = Workspace(REPOSITORY)
    print(f"CPU: {cpu_name()}", flush=True)
    rows: dict[str, Row] = {"student": from_embeddings(workspace), "raw_events": from_raw_events(workspace)}
    quality = rivals(workspace)
    write_columns("student", {**rows, **quality}, [SPEED, BATCHES, QUALITY], REPOSITORY)


def from_embeddings(workspace: Workspace) -> Row:
    """Returns the latency of one session and the throughput of many, decisions included."""
    student = Student.load(workspace.student)
    embeddings = embedding_matrix(read_table(workspace.embeddings, schemas.EMBEDDINGS).slice(0, N_SESSIONS))
    answer = Single(student)
    latency = percentiles_us(answer, itertools.cycle(embeddings), N_CALLS)
    many = np.resize(embeddings, (N_BATCHED, embeddings.shape[1]))
    seconds = []
    for _ in range(N_PASSES):
        start = time.perf_counter()
        student.named(student.probabilities(many))
        seconds.append(time.perf_counter() - start)
    return {**latency, "sessions_per_second": N_BATCHED / float(np.median(seconds))}


def from_raw_events(workspace: Workspace) -> Row:
    """Returns the latency of one session from its events as Python values, the whole way to its intents."""
    table = read_table(workspace.sessions, schemas.SESSIONS).slice(0, N_SESSIONS)
    pages = read_table(workspace.pages, schemas.PAGES)
    answer = Single(Student.load(workspace.student))
    waiting: list[dict[str, Any]] = []

    def tables() -> Iterator[pa.Table]:
        while True:
            yield pa.Table.from_pylist([waiting.pop()], schema=schemas.SESSIONS)

    embedded = Runtime.load(workspace.encoder).stream(tables(), pages)  # reads the catalogue once

    def answered(session: dict[str, Any]) -> object:
        waiting.append(session)
        return answer(next(embedded)[0])

    sessions = table.to_pylist()
    return percentiles_us(answered, itertools.cycle(sessions), len(sessions))


def percentiles_us(call: Callable[[Any], object], given: Iterator[Any], n_calls: int) -> Row:
    """Returns the median and the 99th percentile of ``n_calls`` calls in microseconds, after some that do not count."""
    for _ in range(N_WARM):
        call(next(given))
    spent = np.empty(n_calls)
    for place in range(n_calls):
        one = next(given)
        start = time.perf_counter_ns()
        call(one)
        spent[place] = time.perf_counter_ns() - start
    p50, p99 = np.percentile(spent / 1000, [50, 99])
    return {"p50_us": float(p50), "p99_us": float(p99)}


def cpu_name() -> str:
    """Returns what the machine calls its processor."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


if __name__ == "__main__":
    leave_with(main)
