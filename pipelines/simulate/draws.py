"""Random draws that come out alike on every CPU: uniforms, comparisons, sums and products, no exp, log or power.

numpy's exp, log and power differ in the last bits between CPUs, so distributions are tables here, not formulas.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import accumulate, chain, product
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")

_TRIPLES = ["".join(letters) for letters in product("abcdefghijklmnopqrstuvwxyz", repeat=3)]
_BLOCK = 64  # uniforms fetched at a time: a call of numpy costs as much as fifty of them


class Purpose(IntEnum):
    """What a stream of draws is for: streams are independent, more draws of one leave the others as they are."""

    PERSON = 0
    WEB = 1
    APP = 2
    BOT = 3
    ARRIVAL = 4
    FAULT = 5
    EVENT_ID = 6
    DEVICE = 7
    HOUSEHOLD = 8
    SCENARIO = 9
    PAGES = 10


def generator(seed: int, purpose: Purpose, number: int = 0) -> np.random.Generator:
    """Returns the generator of one purpose and one person (or bot) under ``seed``."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(purpose), number))))


class Weighted(Generic[T]):
    """Items with weights, ready to be drawn from."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        kept = [(item, weight) for item, weight in zip(items, weights, strict=True) if weight > 0]
        self.items = [item for item, _ in kept]
        self.cumulative = list(accumulate(weight for _, weight in kept))
        self.total = self.cumulative[-1] if kept else 0.0
        self.last = len(kept) - 1


class Draws:
    """A stream of uniforms, and what is made of them."""

    def __init__(self, seed: int, purpose: Purpose, number: int = 0) -> None:
        # A chain, not a generator of single draws: each draw is then one call in C.
        self.uniform = chain.from_iterable(_blocks(seed, purpose, number)).__next__

    def chance(self, share: float) -> bool:
        return self.uniform() < share

    def integer(self, n: int) -> int:
        """Returns one of 0, ..., n - 1, each as likely."""
        return int(self.uniform() * n)

    def one_of(self, items: Sequence[T]) -> T:
        return items[int(self.uniform() * len(items))]

    def pick(self, choices: Weighted[T]) -> T:
        return choices.items[bisect_right(choices.cumulative, self.uniform() * choices.total, 0, choices.last)]

    def place(self, weights: Sequence[float]) -> int:
        """Returns one of the places of ``weights``, each as likely as its weight says."""
        cumulative = list(accumulate(weights))
        return bisect_right(cumulative, self.uniform() * cumulative[-1], 0, len(cumulative) - 1)

    def quantile(self, table: Sequence[float]) -> float:
        """Returns a draw from the distribution whose equally spaced quantiles are ``table``, straight between them."""
        place = self.uniform() * (len(table) - 1)
        lower = int(place)
        return table[lower] + (place - lower) * (table[lower + 1] - table[lower])

    def letters(self, n: int) -> str:
        """Returns ``n`` letters a to z, a multiple of 3: an id that no rule for personal data takes for a number."""
        return "".join([self.one_of(_TRIPLES) for _ in range(n // 3)])

    def uuid(self) -> str:
        """Returns an id that looks like a random UUID."""
        words = [int(self.uniform() * 2**32) for _ in range(4)]
        digits = "".join(f"{word:08x}" for word in words)
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _blocks(seed: int, purpose: Purpose, number: int) -> Iterator[list[float]]:
    uniforms = generator(seed, purpose, number).random  # made at the first draw: many streams are never drawn from
    while True:
        yield uniforms(_BLOCK).tolist()
