"""Step 2: where the rows come from."""
