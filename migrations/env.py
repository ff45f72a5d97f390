"""What Alembic runs: on the connection, and in the transaction, that `jarvis migrate` opened."""

from alembic import context

from jarvis.adapters.postgres.schema import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run `jarvis migrate`, which takes the lock and looks at what is there first.")
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
