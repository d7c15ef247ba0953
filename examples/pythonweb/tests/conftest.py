"""Every test runs on SQLite, and on PostgreSQL too when TEST_DATABASE_URL names an empty database."""

import os
import re

import pytest
from flask_migrate import downgrade, upgrade

from app import create_app
from app.config import database_url
from app.extensions import db

ENGINES = ["sqlite"] + (["postgresql"] if os.environ.get("TEST_DATABASE_URL") else [])
PASSWORD = "correct horse battery"


@pytest.fixture(params=ENGINES)
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    return database_url(os.environ["TEST_DATABASE_URL"])


@pytest.fixture
def empty_app(url, monkeypatch):
    """The application on a database without tables."""
    for name in ("APP_ENV", "SECRET_KEY", "DATABASE_URL", "TRUSTED_PROXIES", "REVISION"):
        monkeypatch.delenv(name, raising=False)
    app = create_app({"TESTING": True, "SQLALCHEMY_DATABASE_URI": url, "REVISION": "r42"})
    yield app
    with app.app_context():
        db.session.remove()
        downgrade(revision="base")
        db.engine.dispose()


@pytest.fixture
def app(empty_app):
    """The application on a database made by the real migrations, never by `create_all`."""
    with empty_app.app_context():
        upgrade()
    return empty_app


@pytest.fixture
def client(app):
    return app.test_client()


def csrf(client, path):
    """The token of the first form on a page."""
    page = client.get(path).get_data(as_text=True)
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page).group(1)


def submit(client, path, page=None, **fields):
    return client.post(path, data={"csrf_token": csrf(client, page or path), **fields})


def register(client, email="ada@example.com", name="Ada"):
    return submit(client, "/register", name=name, email=email, password=PASSWORD, repeat=PASSWORD)


def make_token(client):
    page = submit(client, "/token", page="/dashboard").get_data(as_text=True)
    return re.search(r"<code>([^<]+)</code>", page).group(1)
