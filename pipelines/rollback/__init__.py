"""Make the previous champion the champion again."""
