"""Runs the migrations on the connection that the database hands over; there is no other way to run them."""

from alembic import context

from salus.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
