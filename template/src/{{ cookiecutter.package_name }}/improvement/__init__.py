"""Step 8: when to raise an alarm, retrain, promote and roll back."""
