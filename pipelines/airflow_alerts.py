"""A line to people when a task failed for good or waits for an answer: where a connection `clicks_alerts` is set, only.

Of type smtp, it goes by mail to the address in the connection's extra, {"to": "..."}, and comes from `from_email` there
or, without it, from the same; of any other type, as {"text": "..."} to the connection's host, which is what the
incoming webhooks of chat programs take.
"""

import html
import json
import urllib.request
from collections.abc import Sequence
from typing import Any, Final

from airflow.sdk import BaseNotifier, Connection
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

CONNECTION: Final = "clicks_alerts"
SECONDS: Final = 10
FAILED: Final = "{{ dag.dag_id }}: the task {{ ti.task_id }} of run {{ run_id }} failed: {{ ti.log_url }}"
AWAITED: Final = "{{ dag.dag_id }}: run {{ run_id }} waits for an answer ({{ ti.task_id }}): {{ ti.log_url }}"


class Alert(BaseNotifier):  # type: ignore[misc]  # Airflow has no types here
    """Sends ``message``, a template; it says which task, never what it printed. An alert that fails fails nothing."""

    template_fields: Sequence[str] = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Any) -> None:
        try:
            connection = Connection.get(CONNECTION)
        except AirflowNotFoundException:  # not set: nobody wants alerts
            return
        try:
            self._send(connection)
        except (OSError, KeyError, AirflowException) as error:  # refused, not reached, or no address in the extra
            self.log.warning("the alert could not be sent: %s", type(error).__name__)

    def _send(self, connection: Any) -> None:
        if connection.conn_type == "smtp":
            from airflow.providers.smtp.hooks.smtp import SmtpHook

            with SmtpHook(smtp_conn_id=CONNECTION) as hook:
                told = connection.extra_dejson
                hook.send_email_smtp(
                    to=told["to"],
                    from_email=told.get("from_email", told["to"]),
                    subject="Clicks to Intent",
                    html_content=html.escape(self.message),
                )
            return
        host = connection.host or ""
        url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
        if not url.startswith(("http://", "https://")):
            raise OSError("no web address")
        body = json.dumps({"text": self.message}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
            pass
