"""The schema and its history, kept by Alembic; the same for every database."""
