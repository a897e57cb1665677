"""evaluate: what embeddings and labels are worth after the login, with intervals."""
