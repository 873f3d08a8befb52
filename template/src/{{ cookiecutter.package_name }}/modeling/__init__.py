"""Step 5: candidates, and how their scores become predictions."""
