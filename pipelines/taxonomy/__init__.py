"""Sampled sessions to a taxonomy of intents, and a teacher's labels of them."""
