"""Step 7: the champion answers, over HTTP or for a file, and what it answered is logged."""
