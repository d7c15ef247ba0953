"""Runs migrations on the database that the application is configured with."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import text

from app import models, settings
from app.database import engine

fileConfig(context.config.config_file_name, disable_existing_loggers=False)
# SQLite cannot alter a column: batch mode copies the table instead.
arguments = {"target_metadata": models.Base.metadata, "render_as_batch": True}

if context.is_offline_mode():
    context.configure(url=settings.database_url(), literal_binds=True, **arguments)
    with context.begin_transaction():
        context.run_migrations()
else:
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # Rather fail and be tried again than queue every request behind a lock.
            connection.execute(text("SET lock_timeout = '5s'"))
            connection.commit()
        context.configure(connection=connection, **arguments)
        with context.begin_transaction():
            context.run_migrations()
