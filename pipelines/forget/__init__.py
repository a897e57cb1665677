"""forget: a person out of every table, cache and export of a workspace."""
