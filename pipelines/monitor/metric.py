"""A signal's distance as an Evidently metric, beside Evidently's own, so that a report and the dashboard show it.

Evidently's EmbeddingsDrift is not used: in a report it also draws an unseeded t-SNE, for 20 s and more; and the limits
of its other methods, as they come, alarm on samples of one distribution, or on none (make bench-drift).
"""

from typing import Final

from evidently import Dataset
from evidently.core.metric_types import SingleValue, SingleValueCalculation, SingleValueMetric
from evidently.legacy.renderers.html_widgets import CounterData, WidgetSize, counter

ALIAS: Final = "evidently:metric_v2:SignalScore"
COLUMN: Final = "{signal}: times its limit"
"""Of the window's table: what is a field of the metric makes another metric of each day, and no line of them all."""


class SignalScore(SingleValueMetric):  # type: ignore[misc]  # evidently has no types
    """How many times its limit a signal's distance is; above 1 it drifted."""

    class Config:  # noqa: D106
        type_alias = ALIAS

    signal: str
    label: str


class SignalScoreCalculation(SingleValueCalculation[SignalScore]):  # type: ignore[misc]
    """Found by Evidently through its type argument."""

    def calculate(self, context: object, current_data: Dataset, reference_data: object) -> SingleValue:
        found = self.result(float(current_data.column(COLUMN.format(signal=self.metric.signal)).data.iloc[0]))
        shown = CounterData(label="", value=f"{found.value:.2f}")
        found.widget = [counter(title=self.display_name(), size=WidgetSize.HALF, counters=[shown])]  # two in a row
        return found

    def display_name(self) -> str:
        return f"{self.metric.label}: distance in limits (above 1: drift)"
