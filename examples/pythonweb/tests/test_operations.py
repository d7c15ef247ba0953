"""What a deployment relies on: health, migrations, configuration, static files."""

import pytest
from alembic.script import ScriptDirectory
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect

from app import create_app
from app.config import ConfigError, database_url
from app.extensions import db
from app.models import User

SECRET = "s" * 32


def head(app):
    return ScriptDirectory(app.root_path + "/../migrations").get_current_head()


def test_healthy(app, client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "database": "ok", "schema": head(app), "revision": "r42"}


def test_not_healthy_before_the_migrations(empty_app):
    answer = empty_app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json == {"status": "error", "database": "error", "revision": "r42"}


def test_not_healthy_without_a_database():
    app = create_app({"SQLALCHEMY_DATABASE_URI": "sqlite:////nonexistent/folder/app.db"})
    assert app.test_client().get("/healthz").status_code == 503


def test_migrations_make_what_the_models_say(app):
    with app.app_context():
        check()  # exits when autogenerate would find something to do


def test_down_and_up_again_keeps_accounts(app):
    with app.app_context():
        user = User(email="a@example.com", name="A")
        user.set_password("x")
        user.new_api_token()
        db.session.add(user)
        db.session.commit()
        db.session.remove()
        downgrade(revision="3f1c9a52d7e4")
        assert "api_token_hash" not in {column["name"] for column in inspect(db.engine).get_columns("users")}
        upgrade()
        assert User.by_email("a@example.com").api_token_hash is None


def test_static_files_and_headers(client):
    answer = client.get("/static/style.css")
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "frame-ancestors 'none'" in client.get("/").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": SECRET}, "DATABASE_URL"),
        ({"SECRET_KEY": SECRET, "DATABASE_URL": "sqlite:///app.db"}, "absolute"),
        ({"SECRET_KEY": SECRET, "DATABASE_URL": "sqlite:////srv/a.db", "TRUSTED_PROXIES": "all"}, "TRUSTED_PROXIES"),
        ({"SECRET_KEY": SECRET, "DATABASE_URL": "sqlite:////srv/a.db", "SESSION_COOKIE_SECURE": "2"}, "SECURE"),
    ],
)
def test_production_refuses_to_start_half_configured(monkeypatch, settings, message):
    for name in ("SECRET_KEY", "DATABASE_URL", "TRUSTED_PROXIES", "SESSION_COOKIE_SECURE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("APP_ENV", "production")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message):
        create_app()


def test_production_cookies_are_secure(monkeypatch):
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("DATABASE_URL", "sqlite:////srv/a.db")
    monkeypatch.delenv("SESSION_COOKIE_SECURE", raising=False)
    config = create_app().config
    assert config["SESSION_COOKIE_SECURE"] and config["SESSION_COOKIE_HTTPONLY"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_usual_postgresql_urls_find_the_driver(scheme):
    assert database_url(f"{scheme}://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
