"""What a session's embedding and intents come from."""
