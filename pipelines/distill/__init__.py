"""distill: embeddings and the teacher's labels to a calibrated student, and the intents of every session."""
