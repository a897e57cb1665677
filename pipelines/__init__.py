"""Clicks to Intent: clickstreams in, session embeddings and intent labels out."""
