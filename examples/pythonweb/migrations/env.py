"""Runs migrations on the database that the application is configured with."""

from logging.config import fileConfig

from alembic import context
from flask import current_app
from sqlalchemy import text

fileConfig(context.config.config_file_name, disable_existing_loggers=False)
extension = current_app.extensions["migrate"]


def run_offline() -> None:
    """Prints the SQL instead of running it: `flask db upgrade --sql`."""
    url = extension.db.engine.url.render_as_string(hide_password=False)
    context.configure(url=url, target_metadata=extension.db.metadata, literal_binds=True, **extension.configure_args)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    def drop_empty(migration_context, revision, directives):
        if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
            directives[:] = []

    arguments = {"process_revision_directives": drop_empty, **extension.configure_args}
    with extension.db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # Rather fail and be tried again than queue every request behind a lock.
            connection.execute(text("SET lock_timeout = '5s'"))
            connection.commit()
        context.configure(connection=connection, target_metadata=extension.db.metadata, **arguments)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
