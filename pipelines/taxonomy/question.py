"""A question to an LLM: the messages, what an answer must look like, and what it may cost at most."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

Reply = TypeVar("Reply", bound=BaseModel)
Message = dict[str, str]

NO_SUCH_VALUE = "not one of the values that the schema allows"
"""What is said of an id that the taxonomy lacks."""

MAX_REPLY_TOKENS = 4096  # bounds what a call can cost; a reply that needs more is cut, hence refused


@dataclass(frozen=True)
class Question(Generic[Reply]):
    """What is asked, and what an answer looks like."""

    purpose: str  # what the ledger counts it under
    messages: Sequence[Message]  # OpenAI style
    reply_type: type[Reply]  # its JSON schema goes with the request; what comes back is validated by it
    expected: Reply  # a reply of usual size: a dry run counts it and goes on with it
    context: Mapping[str, Any] = field(default_factory=dict)  # what the validators of ``reply_type`` need
    sample: int = 0  # 0, 1, 2, ...: several samples of the same question are kept apart
    temperature: float = 0.0
    max_tokens: int = MAX_REPLY_TOKENS

    def request(self, model: str, api_base: str | None) -> dict[str, Any]:
        """Returns all that decides the reply of ``model`` at ``api_base``."""
        return {
            "api_base": api_base,
            "model": model,
            "messages": list(self.messages),
            "sampling": {"temperature": self.temperature, "sample": self.sample, "max_tokens": self.max_tokens},
            "schema": {"name": self.reply_type.__name__, **self.schema},
        }

    @property
    def schema(self) -> dict[str, Any]:
        return self.reply_type.model_json_schema()

    def validated(self, content: str) -> Reply:
        """Returns the reply that ``content`` spells; raises ValidationError."""
        return self.reply_type.model_validate_json(content, strict=True, context=dict(self.context))


class Asked(Protocol):
    """Whoever answers questions: a model, or a rehearsal that makes no call."""

    def ask(self, question: Question[Reply]) -> Reply:
        """Returns the reply.

        Raises:
            TeacherError: there is none; BudgetError where the call could exceed the budget.
        """

    def answers(self, questions: Sequence[Question[Reply]], what: str = "") -> list["Reply | Unusable"]:
        """Returns the answer to each question; ``what`` names the progress shown. Raises as ``ask`` does."""

    def used(self) -> str:
        """Returns what the answers cost, in words."""

    def finish(self) -> None:
        """Ends the run: the next one begins with its whole budget."""


@dataclass(frozen=True)
class Unusable:
    """The model answered, twice, and neither reply could be used."""

    why: str


def most_read(messages: Sequence[Message], schema: Mapping[str, Any]) -> int:
    """Returns the tokens that a request can be billed for at most: a token is at least one byte."""
    return len(json.dumps([list(messages), schema]).encode()) + 16 * len(messages)


def explained(error: ValidationError) -> str:
    """Returns the first problem, without the values: they go into an error message."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    parts = (str(part) for part in problem["loc"] if isinstance(part, int) or part.isidentifier())
    where = ".".join(parts) or "the reply"
    short = {"json_invalid": "not valid JSON", "literal_error": NO_SUCH_VALUE}
    return f"{where}: {short.get(problem['type'], problem['msg'])}"
