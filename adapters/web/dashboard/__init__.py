"""The dashboard: what was drawn, spent, refused and changed, for those who look after it."""
