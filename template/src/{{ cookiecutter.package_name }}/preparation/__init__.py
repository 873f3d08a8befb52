"""Step 3: raw rows become features."""
