"""The app's home screen: which tiles a random policy shows, and which one a person clicks."""

from collections.abc import Iterable, Mapping
from functools import cache
from math import fsum  # exact, unlike sum(), which rounds otherwise from Python 3.12 on

from pipelines.simulate.content import World
from pipelines.simulate.draws import Draws, Weighted
from pipelines.simulate.people import Person

_PROPENSITY_DIGITS = 4  # as logged


class HomeScreen:
    """The random policy: tiles are drawn one after another without replacement, by their policy weights.

    ``propensity[tile][k]`` is the chance that ``tile`` is shown at position k, over all draws of the policy: it knows
    nothing of the person, so the same numbers hold for every impression.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = world.behaviour.app
        self._weights = {name: tile.policy for name, tile in world.app.tiles.items()}
        self._chances_of = cache(self._chances)
        self.propensity = position_chances(self._weights, self._numbers.shown)

    def show(self, draws: Draws) -> list[str]:
        left = list(self._weights)
        shown: list[str] = []
        for _ in range(self._numbers.shown):
            shown.append(draws.pick(self._chances_of(tuple(left))))
            left.remove(shown[-1])
        return shown

    def _chances(self, left: tuple[str, ...]) -> Weighted[str]:
        return Weighted(left, [self._weights[name] for name in left])

    def of_needs(self, needs: Iterable[str]) -> dict[str, float]:
        """Returns the factor that needs put on each tile that they touch."""
        factors: dict[str, float] = {}
        for need in needs:
            for tile, factor in self._world.needs[need].tiles.items():
                factors[tile] = factors.get(tile, 1.0) * factor
        return factors

    def click_chances(self, person: Person, factors: Mapping[str, float], shown: list[str]) -> list[float]:
        """Returns the chance of a click on each of ``shown``; what they leave to 1 is the chance of no click.

        ``factors``: what moves this person now towards a tile, beside taste, holdings and habit; 1 where not named.
        """
        numbers = self._numbers
        weights = [
            self._appeal(person, tile) * factors.get(tile, 1.0) * factor
            for tile, factor in zip(shown, numbers.positions, strict=True)
        ]
        total = fsum([numbers.no_click, *weights])
        return [weight / total for weight in weights]

    def _appeal(self, person: Person, name: str) -> float:
        tile = self._world.app.tiles[name]
        appeal = tile.popularity * person.taste[name]
        if tile.holding in person.holdings:
            appeal *= tile.holders
        if name == person.last_tile:
            appeal *= self._numbers.habit
        return appeal


def position_chances(weights: dict[str, float], n_shown: int) -> dict[str, list[float]]:
    """Returns for each tile the chance that it comes k-th when tiles are drawn by weight without replacement."""
    chances: dict[str, list[float]] = {name: [] for name in weights}
    drawn: dict[frozenset[str], float] = {frozenset(): 1.0}  # chance that these are the tiles drawn so far
    for _ in range(n_shown):
        here = dict.fromkeys(weights, 0.0)
        after: dict[frozenset[str], float] = {}
        for so_far, chance in drawn.items():
            left = [name for name in weights if name not in so_far]
            total = fsum(weights[name] for name in left)
            for name in left:
                share = chance * weights[name] / total
                here[name] += share
                after[so_far | {name}] = after.get(so_far | {name}, 0.0) + share
        drawn = after
        for name, share in here.items():
            chances[name].append(round(share, _PROPENSITY_DIGITS))
    return chances
