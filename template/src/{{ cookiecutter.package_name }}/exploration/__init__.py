"""Step 4: what the training rows look like."""
