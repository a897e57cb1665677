"""What DAGs say to each other."""

from typing import Final

from airflow.sdk import Asset

DRIFT: Final = Asset(name="drift", uri="clicks://drift")
"""An alarm of the DAG `monitor`. Its event's ``extra`` says of which window, day, champion and hashes, and why."""
