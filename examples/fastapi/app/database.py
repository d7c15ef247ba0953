"""The engine, and a session for each request."""

from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app import settings

engine = create_engine(settings.database_url(), pool_pre_ping=True)


def session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session
