"""The embedding as a picture."""
