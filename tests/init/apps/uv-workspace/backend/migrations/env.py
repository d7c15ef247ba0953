from alembic import context

from app.settings import DATABASE_URL

context.config.set_main_option("sqlalchemy.url", DATABASE_URL)
