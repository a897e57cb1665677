"""What a run's LLM calls used: tokens, dollars and seconds by purpose, and the budget that no call may exceed.

Every call is written down before it is made, at the most it can cost, and again when its reply is stored: a run that
is killed goes on with what it had spent. Not covered: lines that a power failure takes from the disk's own cache.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.errors import BudgetError, TeacherError
from pipelines.taxonomy.question import NO_SUCH_VALUE


class Tokens(NamedTuple):
    """As the provider reports them."""

    read: int
    written: int


@dataclass(frozen=True)
class Call:
    """A call that may be billed."""

    id: str
    request: str  # key of the reply
    purpose: str
    most_usd: float


@dataclass
class Used:
    """The sum of some calls."""

    n_calls: int = 0  # requests sent, failed ones too
    n_stored: int = 0  # replies that were read from the cache instead; of this process
    n_unusable: int = 0  # replies that came, were paid for and could not be used
    n_hallucinated: int = 0  # of these, those that name something that there is not: an id that the taxonomy lacks
    n_lost: int = 0  # calls without a reply that may have been billed: counted at the most they can cost
    read: int = 0
    written: int = 0
    cost_usd: float = 0.0
    seconds: list[float] = field(default_factory=list)  # from request to reply, or to giving up


class Ledger:
    """The calls of the run that is under way, by purpose; ``path`` keeps them until ``finish``."""

    def __init__(self, path: Path, budget_usd: float) -> None:
        self.path = path
        self.budget_usd = budget_usd
        self.by_purpose: dict[str, Used] = {}
        self.open: dict[str, Call] = {}
        self._torn = "\n" if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n") else ""
        for line in _lines_of_this_run(path):
            self._read(line)

    @property
    def total(self) -> Used:
        """The sum over all purposes."""
        total = Used()
        for used in self.by_purpose.values():
            for name in (
                "n_calls",
                "n_stored",
                "n_unusable",
                "n_hallucinated",
                "n_lost",
                "read",
                "written",
                "cost_usd",
            ):
                setattr(total, name, getattr(total, name) + getattr(used, name))
            total.seconds += used.seconds
        return total

    @property
    def committed_usd(self) -> float:
        """What is spent, and what calls under way can still cost."""
        spent = sum(used.cost_usd for used in self.by_purpose.values())
        return spent + sum(call.most_usd for call in self.open.values())

    def summary(self) -> str:
        """Returns the sum in words."""
        total = self.total
        lost = f", {total.n_lost:,} of them without a reply" if total.n_lost else ""
        unusable = f", {total.n_unusable:,} replies of no use" if total.n_unusable else ""
        unusable += f" ({total.n_hallucinated:,} of them with made-up ids)" if total.n_hallucinated else ""
        return (
            f"{total.n_calls:,} calls{lost}{unusable}, {total.n_stored:,} stored replies, {total.read:,} tokens read, "
            f"{total.written:,} written, {total.cost_usd:.4f} USD"
        )

    def of(self, purpose: str) -> Used:
        """Returns what calls for ``purpose`` used, to be added to."""
        return self.by_purpose.setdefault(purpose, Used())

    def reserve(self, request: str, purpose: str, most_usd: float) -> Call:
        """Returns a call that may be made now.

        Raises:
            BudgetError: it could exceed the budget, given what is spent and what is under way.
        """
        if self.committed_usd + most_usd > self.budget_usd:
            raise BudgetError(
                f"the next call could cost {most_usd:.4f} USD, and {self.committed_usd:.4f} USD of taxonomy.budget_usd "
                f"({self.budget_usd:.2f}) are spent: raise it (replies so far are kept, and not paid again), or lower "
                "taxonomy.n_label"
            )
        call = Call(uuid.uuid4().hex, request, purpose, most_usd)
        self._write({"call": call.id, "request": request, "purpose": purpose, "most_usd": most_usd})
        return call

    def settle(self, call: Call, tokens: Tokens | None, cost_usd: float, seconds: float, problem: str = "") -> None:
        """Notes what a call cost; without ``tokens`` it counts at the most it can have cost."""
        read, written = tokens or (None, None)
        line = {"settled": call.id, "read": read, "written": written, "usd": cost_usd, "seconds": round(seconds, 4)}
        self._write(line | ({"problem": problem} if problem else {}))

    def lose(self, call: Call, seconds: float) -> None:
        """Notes a call that brought no reply and may be billed all the same."""
        self._write({"lost": call.id, "seconds": round(seconds, 4)})

    def release(self, call: Call, seconds: float) -> None:
        """Notes a call that the provider refused, so that it cannot have been billed."""
        self._write({"released": call.id, "seconds": round(seconds, 4)})

    def finish(self) -> None:
        """Ends the run: the next one begins with its whole budget."""
        if any(used.n_calls for used in self.by_purpose.values()):
            self._write({"finished": True})

    def _write(self, line: dict[str, Any]) -> None:
        self._read(line)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{self._torn}{json.dumps(line)}\n")
        self._torn = ""

    def _read(self, line: dict[str, Any]) -> None:
        """Adds what a line says."""
        if "call" in line:
            call = Call(line["call"], line["request"], line["purpose"], line["most_usd"])
            self.open[call.id] = call
            self.of(call.purpose).n_calls += 1
        elif "finished" not in line:
            kind = next(kind for kind in ("settled", "lost", "released") if kind in line)
            call = self.open.pop(line[kind])
            used = self.of(call.purpose)
            used.seconds.append(line["seconds"])
            if kind == "lost":
                used.n_lost += 1
                used.cost_usd += call.most_usd
            elif kind == "settled":
                used.read += line["read"] or 0
                used.written += line["written"] or 0
                used.cost_usd += line["usd"]
                used.n_unusable += "problem" in line
                used.n_hallucinated += NO_SUCH_VALUE in line.get("problem", "")


def _lines_of_this_run(path: Path) -> Iterator[dict[str, Any]]:
    """The lines since the last finished run; one that a kill cut short is left out."""
    if not path.exists():
        return
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            line = json.loads(text) if text else {}
        except ValueError:
            continue
        if not isinstance(line, dict):
            raise TeacherError(f"{path.name}, line {number}: not a line of the ledger; remove that file")
        if "finished" in line:
            lines.clear()
        elif line:
            lines.append(line)
    yield from lines
