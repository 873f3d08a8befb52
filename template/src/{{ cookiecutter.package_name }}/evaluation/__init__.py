"""Step 6: what is shown of the test, and what a model must show to serve."""
