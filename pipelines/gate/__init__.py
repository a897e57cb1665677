"""A challenger beside the champion, before anybody is asked."""
