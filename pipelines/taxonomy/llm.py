"""The one place that calls an LLM: replies of a stated type, paid for once, under a hard budget, several at a time.

A reply is stored under the hash of all that decides it once it is valid; a failed call or an invalid reply is never
stored. Not covered: a provider that bills more than the tokens it reports; a call that is under way when the process
is killed may be billed and is made again (the ledger counts it in full).
"""

import asyncio
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.errors import TeacherError, UnusableError
from pipelines.params import Taxonomy as TaxonomyParams
from pipelines.taxonomy.ledger import Call, Ledger, Tokens
from pipelines.taxonomy.pace import Pace
from pipelines.taxonomy.price import Price, price_of
from pipelines.taxonomy.progress import shown
from pipelines.taxonomy.provider import CallError, Completion, Provider, RefusedError, litellm
from pipelines.taxonomy.question import Message, Question, Reply, Unusable, explained, most_read
from pipelines.taxonomy.replies import Replies, Stored, key_of

MAX_ASKED = 2  # times that a question is put before its replies count as unusable
MAX_WAIT_SECONDS = 120.0  # a server that asks for a longer wait is not waited for


@dataclass
class Llm:
    """Asks one model."""

    provider: Provider
    price: Price
    replies: Replies
    ledger: Ledger
    replay: bool  # make no call: what is not stored is an error
    concurrency: int
    max_attempts: int
    pace: Pace
    first_wait_seconds: float = 1.0  # doubles from attempt to attempt

    def __post_init__(self) -> None:
        """A run that was killed may have stored a reply without noting its cost."""
        for call in list(self.ledger.open.values()):
            stored = self.replies.find(call.request)
            if stored is None or stored.call != call.id:
                self.ledger.lose(call, 0.0)
            else:
                self._settle(call, stored.tokens, 0.0)

    def ask(self, question: Question[Reply]) -> Reply:
        """Returns the model's reply, from the store or by a call.

        Raises:
            BudgetError: the call could exceed the budget; it was not made.
            UnusableError: the model gave no usable reply.
            TeacherError: a call failed for good, or ``replay`` is on and no reply is stored.
        """
        [answer] = self.answers([question])
        if isinstance(answer, Unusable):
            raise UnusableError(
                f"{self.provider.model} gave no usable {question.reply_type.__name__} twice: {answer.why}; try another "
                "model, or a smaller taxonomy.batch_size"
            )
        return answer

    def answers(self, questions: Sequence[Question[Reply]], what: str = "") -> list[Reply | Unusable]:
        """Returns the answer to each question; equal ones are asked once, and ``what`` names the progress shown.

        Raises:
            BudgetError: a call could exceed the budget. Calls under way were waited for, and their replies stored.
            TeacherError: a call failed for good, or ``replay`` is on and a reply is not stored.
        """
        requests = [question.request(self.provider.model, self.provider.api_base) for question in questions]
        keys = [key_of(request) for request in requests]
        found: dict[str, Reply | Unusable] = {}
        missing: dict[str, tuple[Question[Reply], dict[str, Any]]] = {}
        for key, question, request in zip(keys, questions, requests, strict=True):
            reply = None if key in missing else self.replies.reply(key, question)
            if reply is None:
                missing[key] = question, request
            else:
                found[key] = reply
                self.ledger.of(question.purpose).n_stored += 1
        if missing and self.replay:
            raise TeacherError(
                f"taxonomy.replay is on and no reply to {len(missing)} of {len(set(keys))} requests is stored: replay "
                "with the params and inputs it was recorded with, or set taxonomy.replay to false"
            )
        if missing:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some of LiteLLM's quote replies
                asyncio.run(self._ask_all(missing, found, what))
        return [found[key] for key in keys]

    def used(self) -> str:
        """Returns calls, tokens and dollars of the run."""
        return self.ledger.summary()

    def finish(self) -> None:
        """Ends the run: the next one begins with its whole budget."""
        self.ledger.finish()

    async def _ask_all(
        self,
        missing: Mapping[str, tuple[Question[Reply], dict[str, Any]]],
        found: dict[str, Reply | Unusable],
        what: str,
    ) -> None:
        """Adds the replies to ``found``; after a failure no call begins, and those under way are waited for."""
        slots = asyncio.Semaphore(self.concurrency)
        failed: list[TeacherError] = []
        finished = shown(range(len(missing)), what)

        async def one(key: str, question: Question[Reply], request: dict[str, Any]) -> None:
            async with slots:
                if failed:
                    return
                try:
                    found[key] = await self._reply(key, question, request, failed)
                except TeacherError as error:
                    failed.append(error)
                finally:
                    next(finished, None)

        tasks = [asyncio.create_task(one(key, *asked)) for key, asked in missing.items()]
        try:
            await asyncio.gather(*map(asyncio.shield, tasks))
        except asyncio.CancelledError:  # Ctrl-C: what is under way is paid for
            failed.append(TeacherError("interrupted"))
            await asyncio.wait(tasks)
            raise
        finally:
            await litellm().close_litellm_async_clients()
            litellm().in_memory_llm_clients_cache.flush_cache()
        if failed:
            raise failed[0]

    async def _reply(
        self, key: str, question: Question[Reply], request: dict[str, Any], failed: Sequence[TeacherError]
    ) -> Reply | Unusable:
        """The model's valid reply, stored and settled in this order; an invalid one is asked for once more."""
        messages = list(question.messages)
        problem = ""
        for _ in range(MAX_ASKED):
            try:
                completion, call, seconds = await self._paid(key, question, messages, failed)
            except RefusedError:
                return Unusable("the provider's content filter refused the request")
            problem, reply = completion.problem, None
            if not problem:
                try:
                    reply = question.validated(completion.content)
                except ValidationError as error:
                    problem = explained(error)
            if reply is not None:
                self.replies.keep(key, request, Stored(completion.content, call.id, completion.tokens))
            self._settle(call, completion.tokens, seconds, problem)
            if reply is not None:
                return reply
            ask_again = f"Your last reply was not usable: {problem}. Reply again, in full."
            messages = [*question.messages, {"role": "user", "content": ask_again}]
        return Unusable(problem)

    async def _paid(
        self, key: str, question: Question[Reply], messages: Sequence[Message], failed: Sequence[TeacherError]
    ) -> tuple[Completion, Call, float]:
        """One reply, its call and its seconds; retried on passing failures, each attempt checked against the budget."""
        schema = question.schema
        max_tokens = self.provider.most_tokens(question.max_tokens)
        most_usd = self.price.of(most_read(messages, schema), max_tokens)
        for attempt in range(1, self.max_attempts + 1):
            await self.pace.turn()
            if failed:
                raise failed[0]
            call = self.ledger.reserve(key, question.purpose, most_usd)
            start = time.monotonic()
            try:
                completion = await self.provider.complete(
                    messages, question.reply_type.__name__, schema, question.temperature, max_tokens
                )
            except CallError as error:
                (self.ledger.lose if error.maybe_billed else self.ledger.release)(call, time.monotonic() - start)
                wait = error.wait_seconds
                too_long = wait is not None and wait > MAX_WAIT_SECONDS
                if isinstance(error, RefusedError):
                    raise
                if attempt == self.max_attempts or not error.may_pass or too_long:
                    raise TeacherError(self.provider.explained(error, attempt)) from None
                if wait is None:
                    await asyncio.sleep(self.first_wait_seconds * 2 ** (attempt - 1))
                else:
                    self.pace.hold(wait)
            else:
                return completion, call, time.monotonic() - start
        raise AssertionError("max_attempts is at least 1")

    def _settle(self, call: Call, tokens: Tokens | None, seconds: float, problem: str = "") -> None:
        cost_usd = call.most_usd if tokens is None else self.price.of(*tokens)
        self.ledger.settle(call, tokens, cost_usd, seconds, problem)


def llm_of(params: TaxonomyParams, replies: Replies, ledger: Ledger) -> Llm:
    """Returns the model that params.yaml names."""
    return Llm(
        provider=Provider(params.model, params.api_base, params.timeout_seconds),
        price=Price(0.0, 0.0) if params.replay else price_of(params.model, params.price_per_million_tokens),
        replies=replies,
        ledger=ledger,
        replay=params.replay,
        concurrency=params.concurrency,
        max_attempts=params.max_attempts,
        pace=Pace(params.requests_per_minute),
    )
