"""One call through LiteLLM: within a deadline, with nothing logged, nothing silently empty, and failures by kind.

LiteLLM's own retries, cache and budget are not used: its retries repeat what cannot succeed, its cache mixes up
servers, its budget does not stop.
"""

import asyncio
import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import ModuleType
from typing import Any

from pipelines import telemetry
from pipelines.taxonomy.ledger import Tokens

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that another attempt may cure; LiteLLM gives 408 to timeouts and 500 to cut connections."""
MAYBE_BILLED = frozenset({408, 500, 502, 504})
"""Among them those behind which a request may have been served, and billed, although no reply arrived."""
BOUNDS = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
"""Of a schema: hosted providers refuse some of them, servers of one's own need them; replies are checked here."""


@dataclass(frozen=True)
class Completion:
    """What came back: ``content`` is empty when ``problem`` says why it cannot be used."""

    content: str
    problem: str
    tokens: Tokens | None  # as reported


class CallError(Exception):
    """A call brought no reply."""

    def __init__(self, why: str, status: int | None, wait_seconds: float | None) -> None:
        self.status = status
        self.wait_seconds = wait_seconds  # as the provider asks
        super().__init__(why)

    @property
    def may_pass(self) -> bool:
        return self.status in PASSING

    @property
    def maybe_billed(self) -> bool:
        return self.status in MAYBE_BILLED


class RefusedError(CallError):
    """The provider will not read this very text: its content filter says no."""


@dataclass(frozen=True)
class Provider:
    """A model at an address."""

    model: str
    api_base: str | None
    timeout_seconds: float  # from request to the end of the reply: a reply that drips in is cut as well

    async def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        name: str,
        schema: Mapping[str, Any],
        temperature: float,
        max_tokens: int,
    ) -> Completion:
        """Returns the model's completion of ``messages``, constrained to the JSON ``schema`` where the provider can.

        Raises:
            CallError: no reply came; the message says the kind of failure alone.
        """
        library = litellm()
        arguments = {
            "model": self.model,
            "api_base": self.api_base,
            "messages": [dict(message) for message in messages],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": name, "schema": self.sent(schema), "strict": True},
            },
            "temperature": temperature,
            "max_tokens": max_tokens,
            "timeout": self.timeout_seconds,
            "max_retries": 0,
            "num_retries": 0,
            "drop_params": True,  # a provider that lacks one of these goes without
        }
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return _completion(await library.acompletion(**arguments), max_tokens)
        except TimeoutError:
            raise CallError("Timeout", 408, None) from None
        except library.exceptions.openai.OpenAIError as error:
            filtered = isinstance(error, library.exceptions.ContentPolicyViolationError)
            raise (RefusedError if filtered else CallError)(
                type(error).__name__, _status(error), _wait_seconds(error)
            ) from None

    def sent(self, schema: Any) -> Any:
        """Returns the schema as this provider takes it."""
        if self.api_base is not None:
            return schema
        if isinstance(schema, Mapping):
            return {key: self.sent(part) for key, part in schema.items() if key not in BOUNDS}
        return [self.sent(part) for part in schema] if isinstance(schema, list) else schema

    def most_tokens(self, wanted: int) -> int:
        """Returns how many tokens may be asked for: ``wanted``, or the model's limit where it is known."""
        known = litellm().model_cost.get(self.model) or litellm().model_cost.get(self.model.partition("/")[2]) or {}
        limit = known.get("max_output_tokens")
        return min(wanted, limit) if isinstance(limit, int) and limit > 0 else wanted

    def explained(self, error: CallError, n_attempts: int) -> str:
        """Returns what to tell a person about the last of ``n_attempts``."""
        advice = {
            401: "check the provider's API key in the environment",
            403: "check the provider's API key in the environment",
            404: "check taxonomy.model and taxonomy.api_base",
            408: f"no whole answer within taxonomy.timeout_seconds ({self.timeout_seconds:g})",
            413: "lower taxonomy.batch_size or taxonomy.max_events",
            429: "the provider's rate limit; set taxonomy.requests_per_minute, or wait",
        }.get(error.status or 0, "check taxonomy.model and taxonomy.api_base, and whether the server is up")
        if str(error) == "ContextWindowExceededError":
            advice = "the request is too long for the model: lower taxonomy.batch_size or taxonomy.max_events"
        attempts = f" in {n_attempts} attempts" if n_attempts > 1 else ""
        return f"{self.model} gave no answer{attempts}: {error}, status {error.status or 'none'}: {advice}"


def _completion(response: Any, max_tokens: int) -> Completion:
    """What LiteLLM passes on silently (no choice, no text, a cut text, a refusal) becomes a stated problem."""
    usage = getattr(response, "usage", None)
    read, written = (getattr(usage, name, None) or None for name in ("prompt_tokens", "completion_tokens"))
    tokens = None if read is None or written is None else Tokens(read, written)
    choice = response.choices[0] if response.choices else None
    message = choice.message if choice is not None else None
    content = (message.content if message is not None else None) or ""
    refusal = (getattr(message, "provider_specific_fields", None) or {}).get("refusal")
    if choice is None:
        problem = "it held no choice"
    elif choice.finish_reason == "content_filter" or refusal:
        problem = "it was a refusal"
    elif choice.finish_reason == "length":
        problem = f"it was longer than {max_tokens} tokens, hence cut"
    else:
        problem = "" if content.strip() else "it was empty"
    return Completion("" if problem else content, problem, tokens)


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _wait_seconds(error: BaseException) -> float | None:
    """What Retry-After says, in seconds or as a date."""
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    asked = str((headers or {}).get("retry-after", ""))
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # none, or neither
        return None


def litellm() -> ModuleType:
    """Returns LiteLLM, silent and without a network of its own."""
    telemetry.switch_off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports use deprecated parts of other libraries
        import litellm as library
    library.suppress_debug_info = True
    library.turn_off_message_logging = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # at lower levels they print prompts
    module: ModuleType = library
    return module
