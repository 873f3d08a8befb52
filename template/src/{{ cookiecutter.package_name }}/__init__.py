"""A machine-learning project in eight steps; start reading at ``pipeline.py``."""
