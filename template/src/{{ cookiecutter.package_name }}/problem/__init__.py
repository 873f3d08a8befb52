"""Step 1: what is predicted, and how good is good enough."""
