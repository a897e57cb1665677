"""One completion through LiteLLM: retried by kind of error, with nothing logged and nothing silently empty."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from pipelines import telemetry
from pipelines.errors import TeacherError

MAX_REPLY_TOKENS = 4096  # bounds what a call can cost; a reply that needs more is truncated, hence refused
MAX_WAIT_SECONDS = 120.0  # a server that asks for a longer wait is not waited for
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that another attempt may cure; LiteLLM gives 408 to timeouts and 500 to cut connections."""
CUT_OFF = frozenset({408, 500})
"""Among them those behind which a request may have been served, and billed, although no reply arrived."""


@dataclass(frozen=True)
class Completion:
    """What came back: ``content`` is empty when ``problem`` says why it cannot be used."""

    content: str
    problem: str
    n_read: int | None  # tokens, as reported
    n_written: int | None


@dataclass(frozen=True)
class Provider:
    """A model at an address."""

    model: str
    api_base: str | None
    timeout_seconds: float
    max_attempts: int
    first_wait_seconds: float = 1.0  # doubles from attempt to attempt

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        name: str,
        schema: Mapping[str, Any],
        temperature: float,
        before_attempt: Callable[[], None],
        after_refusal: Callable[[], None],
    ) -> Completion:
        """Returns the model's completion, constrained to ``schema`` where the provider can.

        Args:
            messages: the conversation.
            name: of the schema.
            schema: JSON schema of the reply.
            temperature: of the draw.
            before_attempt: called before every call; what it raises stops the call.
            after_refusal: called after a call that the provider refused, so that it cannot have been billed.

        Raises:
            TeacherError: no attempt succeeded; the message says the kind of failure alone.
        """
        litellm = _litellm()
        arguments = self._arguments(messages, name, schema, temperature)
        retrying = Retrying(
            stop=stop_after_attempt(self.max_attempts),
            wait=self._wait_seconds,
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        try:
            for attempt in retrying:
                with attempt:
                    before_attempt()
                    response = self._call(litellm, arguments, after_refusal)
        except litellm.exceptions.openai.OpenAIError as error:
            raise TeacherError(self._explain(error)) from None
        return _completion(response)

    def price_usd(self) -> tuple[float, float] | None:
        """Returns US dollars a token read and a token written, or None for a model that LiteLLM has no price for."""
        provider, _, bare = self.model.partition("/")
        prices = _litellm().model_cost
        entry = prices.get(self.model)
        if entry is None and prices.get(bare, {}).get("litellm_provider") == provider:
            entry = prices[bare]
        if entry is None or "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
            return None
        return float(entry["input_cost_per_token"]), float(entry["output_cost_per_token"])

    def _call(self, litellm: ModuleType, arguments: dict[str, Any], after_refusal: Callable[[], None]) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some of its warnings quote replies
                return litellm.completion(**arguments)
        except litellm.exceptions.openai.OpenAIError as error:
            if _status(error) not in CUT_OFF:
                after_refusal()
            raise

    def _arguments(
        self, messages: Sequence[Mapping[str, str]], name: str, schema: Mapping[str, Any], temperature: float
    ) -> dict[str, Any]:
        return {
            "model": self.model,
            "api_base": self.api_base,
            "messages": [dict(message) for message in messages],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": name, "schema": dict(schema), "strict": True},
            },
            "temperature": temperature,
            "max_tokens": MAX_REPLY_TOKENS,
            "timeout": self.timeout_seconds,  # without one a silent server holds the run forever
            "max_retries": 0,
            "num_retries": 0,
            "drop_params": True,  # a provider that lacks one of these goes without
        }

    def _wait_seconds(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = _retry_after_seconds(error)
        return self.first_wait_seconds * 2 ** (state.attempt_number - 1) if asked is None else asked

    def _explain(self, error: BaseException) -> str:
        status = _status(error)
        advice = {
            401: "check the provider's API key in the environment",
            403: "check the provider's API key in the environment",
            404: "check taxonomy.model and taxonomy.api_base",
            408: f"no answer within taxonomy.timeout_seconds ({self.timeout_seconds:g})",
            429: "the provider's rate limit; wait, or raise taxonomy.max_attempts",
        }.get(status or 0, "check taxonomy.model and taxonomy.api_base, and whether the server is up")
        attempts = f" in {self.max_attempts} attempts" if _may_pass(error) and self.max_attempts > 1 else ""
        return f"{self.model} gave no answer{attempts}: {type(error).__name__}, status {status or 'none'}: {advice}"


def _completion(response: Any) -> Completion:
    """What LiteLLM passes on silently (no choice, no text, a cut text) becomes a stated problem."""
    usage = getattr(response, "usage", None)
    counts = [getattr(usage, name, None) or None for name in ("prompt_tokens", "completion_tokens")]
    choice = response.choices[0] if response.choices else None
    content = (choice.message.content if choice is not None and choice.message is not None else None) or ""
    if choice is None:
        problem = "it held no choice"
    elif choice.finish_reason == "length":
        problem = f"it was longer than {MAX_REPLY_TOKENS} tokens, hence cut"
    else:
        problem = "" if content.strip() else "it was empty"
    return Completion("" if problem else content, problem, counts[0], counts[1])


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _may_pass(error: BaseException) -> bool:
    asked = _retry_after_seconds(error)
    return _status(error) in PASSING and (asked is None or asked <= MAX_WAIT_SECONDS)


def _retry_after_seconds(error: BaseException | None) -> float | None:
    headers = getattr(error, "litellm_response_headers", None) or getattr(
        getattr(error, "response", None), "headers", None
    )
    try:
        return max(0.0, float((headers or {}).get("retry-after", "")))
    except ValueError:  # none, or a date
        return None


def _litellm() -> ModuleType:
    telemetry.switch_off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports use deprecated parts of other libraries
        import litellm
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # at lower levels they print prompts
    module: ModuleType = litellm
    return module
