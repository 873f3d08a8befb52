"""Step 3: raw rows become training rows, test rows and a schema."""
