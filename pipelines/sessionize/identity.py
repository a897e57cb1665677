"""Identity: which customer a visitor (a cookie or a device) was known to be, and from when to when."""

import duckdb

from pipelines.sessionize import rules


def link(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Makes the table ``identity`` (schemas.IDENTITY) out of ``events``: one row a run of one customer's logins.

    A link holds from its first authenticated event, on any channel, until another customer's on the same visitor: a
    shared device has several owners, one after the other. A customer's sessions on several devices are linked by the
    customer and stay sessions of their own.
    """
    warehouse.execute(f"CREATE TABLE identity AS {rules.sql(rules.identity)}")
