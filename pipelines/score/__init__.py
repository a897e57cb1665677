"""Raw events to sessions, embeddings and intents by the champion."""
