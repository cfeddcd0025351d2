"""Pictures as bytes: fetched, normalised, stored, fitted to a platform. Knows files, not conversations."""
