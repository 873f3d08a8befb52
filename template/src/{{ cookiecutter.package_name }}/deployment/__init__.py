"""Step 7: the service, and scoring of files."""
