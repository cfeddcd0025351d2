"""Alembic's entry: migrates over the connection that `bot.storage.schema` passes in."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
