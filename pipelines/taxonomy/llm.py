"""The one place that calls an LLM: structured replies through LiteLLM, cached by content, under a hard budget.

LiteLLM's own retries, cache and budget are not used: its retries repeat what cannot succeed, its cache mixes up
servers, its budget does not stop. Not covered: a provider that bills more than the tokens it reports.
"""

import hashlib
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from pipelines.errors import BudgetError, TeacherError
from pipelines.taxonomy.provider import MAX_REPLY_TOKENS, Completion, Provider

Reply = TypeVar("Reply", bound=BaseModel)
Message = dict[str, str]


class Price(NamedTuple):
    """US dollars a token."""

    read_usd: float
    written_usd: float


@dataclass
class Ledger:
    """What a run has used so far."""

    n_calls: int = 0  # requests sent, failed ones too
    n_cached: int = 0  # replies that were read from the cache
    cost_usd: float = 0.0


@dataclass
class Client:
    """Asks one model for replies of a stated type.

    A reply is stored under the hash of all that decides it (address, model, messages, sampling, schema) once it is
    valid; a failed call or an invalid reply is never stored. ``replay`` makes no call: what is not stored is an error.
    """

    provider: Provider
    budget_usd: float  # of this run; replies from the cache cost nothing
    replies: Path
    replay: bool
    ledger: Ledger = field(default_factory=Ledger)

    def ask(
        self,
        messages: Sequence[Message],
        reply_type: type[Reply],
        context: Mapping[str, Any],
        sample: int,
        temperature: float,
    ) -> Reply:
        """Returns the model's reply, from the cache or by a call; an invalid one is asked for once more.

        Args:
            messages: the conversation, OpenAI style.
            reply_type: its JSON schema goes with the request; what comes back is validated by it.
            context: what the validators of ``reply_type`` need, such as the ids that exist.
            sample: 0, 1, 2, ...: several samples of the same question are kept apart.
            temperature: of the model's draw.

        Raises:
            BudgetError: the call could exceed the budget; it was not made.
            TeacherError: the model gave no valid reply, or ``replay`` is on and none is stored.
        """
        schema = reply_type.model_json_schema()
        request = self._request(messages, reply_type.__name__, schema, sample, temperature)
        stored = self.replies / f"{_key(request)}.json"
        if stored.exists():
            self.ledger.n_cached += 1
            return _stored_reply(stored, reply_type, context)
        if self.replay:
            raise TeacherError(
                f"taxonomy.replay is on and {self.replies.name}/ holds no reply to a request: replay with the "
                "params and inputs it was recorded with, or set taxonomy.replay to false"
            )
        content, reply = self._valid_reply(messages, reply_type, schema, context, temperature)
        _store(stored, {"request": request, "reply": content})
        return reply

    def _request(
        self, messages: Sequence[Message], name: str, schema: dict[str, Any], sample: int, temperature: float
    ) -> dict[str, Any]:
        return {
            "api_base": self.provider.api_base,
            "model": self.provider.model,
            "messages": list(messages),
            "sampling": {"temperature": temperature, "sample": sample, "max_tokens": MAX_REPLY_TOKENS},
            "schema": {"name": name, **schema},
        }

    def _valid_reply(
        self,
        messages: Sequence[Message],
        reply_type: type[Reply],
        schema: dict[str, Any],
        context: Mapping[str, Any],
        temperature: float,
    ) -> tuple[str, Reply]:
        asked = list(messages)
        problem = ""
        for _ in range(2):
            completion = self._paid(asked, reply_type.__name__, schema, temperature)
            problem = completion.problem
            if not problem:
                try:
                    return completion.content, reply_type.model_validate_json(
                        completion.content, strict=True, context=dict(context)
                    )
                except ValidationError as error:
                    problem = _explain(error)
            asked = [
                *messages,
                {"role": "user", "content": f"Your last reply was not usable: {problem}. Reply again, in full."},
            ]
        raise TeacherError(
            f"{self.provider.model} gave no usable {reply_type.__name__} twice: {problem}; try another model, "
            "or a smaller taxonomy.batch_size"
        )

    def _paid(self, messages: Sequence[Message], name: str, schema: dict[str, Any], temperature: float) -> Completion:
        """One reply, retried on passing failures; every attempt is checked against the budget before it is made."""
        price = self._price()
        # A token is at least one byte, so this bounds what the request can be billed for.
        n_bytes = len(json.dumps([list(messages), schema]).encode()) + 16 * len(messages)
        most_usd = n_bytes * price.read_usd + MAX_REPLY_TOKENS * price.written_usd

        def before_attempt() -> None:
            if self.ledger.cost_usd + most_usd > self.budget_usd:
                raise BudgetError(
                    f"the next call could cost {most_usd:.4f} USD, and {self.ledger.cost_usd:.4f} USD of "
                    f"taxonomy.budget_usd ({self.budget_usd:.2f}) are spent: raise it (replies so far are kept, and "
                    "not paid again), or lower taxonomy.n_label"
                )
            self.ledger.n_calls += 1
            self.ledger.cost_usd += most_usd  # a call that is cut off may be billed in full

        def after_refusal() -> None:
            self.ledger.cost_usd -= most_usd

        completion = self.provider.complete(messages, name, schema, temperature, before_attempt, after_refusal)
        if completion.n_read is not None and completion.n_written is not None:
            self.ledger.cost_usd += (
                completion.n_read * price.read_usd + completion.n_written * price.written_usd - most_usd
            )
        return completion

    def _price(self) -> Price:
        known = self.provider.price_usd()
        if known is not None:
            return Price(*known)
        if _is_local(self.provider.api_base):
            return Price(0.0, 0.0)
        raise BudgetError(
            f"the price of {self.provider.model} is unknown, so taxonomy.budget_usd cannot hold: name a model that "
            "LiteLLM has a price for, or one of your own server by taxonomy.api_base"
        )


def _is_local(api_base: str | None) -> bool:
    """Whether the address is this machine's or of a private network."""
    host = urlsplit(api_base).hostname if api_base else None
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _key(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _stored_reply(path: Path, reply_type: type[Reply], context: Mapping[str, Any]) -> Reply:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["reply"]
        return reply_type.model_validate_json(content, strict=True, context=dict(context))
    except (ValidationError, ValueError, KeyError, TypeError):
        raise TeacherError(f"{path.parent.name}/{path.name}: not a valid stored reply; delete this file") from None


def _store(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.replace(path)


def _explain(error: ValidationError) -> str:
    """The first problem, without the values: they go into an error message."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = (
        ".".join(str(part) for part in problem["loc"] if isinstance(part, int) or part.isidentifier()) or "the reply"
    )
    what = "not valid JSON" if problem["type"] == "json_invalid" else problem["msg"]
    return f"{where}: {what}"
