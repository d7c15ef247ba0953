"""What visitors and a deployment rely on, on the database that the migrations make, never `create_all`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from alembic import command
from alembic.config import Config
from app import database, settings
from app.main import app

ROOT = Path(__file__).parent.parent


@pytest.fixture
def alembic(monkeypatch, tmp_path):
    url = os.environ.get("TEST_DATABASE_URL", f"sqlite:///{tmp_path}/test.db")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(database, "engine", create_engine(settings.database_url()))
    config = Config(ROOT / "alembic.ini")
    command.upgrade(config, "head")
    yield config
    command.downgrade(config, "base")
    database.engine.dispose()


@pytest.fixture
def client(alembic):
    return TestClient(app)


def test_a_post_made_through_the_api_is_on_the_page(client):
    answer = client.post("/api/v1/posts", json={"title": " <b>Bold</b> ", "body": "Ünïcode"})
    assert (answer.status_code, answer.json()["title"]) == (201, "<b>Bold</b>")
    assert "&lt;b&gt;Bold&lt;/b&gt;" in client.get("/").text
    assert client.get("/api/v1/posts").json() == {"posts": [answer.json()], "total": 1}


@pytest.mark.parametrize("post", [{}, {"title": "x"}, {"title": " ", "body": "x"}, {"title": "\x00", "body": "y"}])
def test_what_is_wrong_is_said(client, post):
    assert client.post("/api/v1/posts", json=post).status_code == 422
    assert client.get("/api/v1/posts").json()["total"] == 0


def test_writing_needs_the_token_where_there_is_one(client, monkeypatch):
    monkeypatch.setattr(settings, "API_TOKEN", "a token")
    post = {"title": "x", "body": "y"}
    assert client.post("/api/v1/posts", json=post).status_code == 401
    assert client.post("/api/v1/posts", json=post, headers={"Authorization": "Bearer a token"}).status_code == 201


def test_healthy_only_after_the_migrations(client, alembic):
    assert client.get("/healthz").json()["database"] == "ok"
    command.downgrade(alembic, "base")
    assert client.get("/healthz").status_code == 503


def test_migrations_make_what_the_models_say(alembic):
    command.check(alembic)


def test_the_websocket_says_back_what_it_hears(client):
    with client.websocket_connect("/ws") as socket:
        for text in ("first", "zweites ✓"):
            socket.send_text(text)
            assert socket.receive_text() == text


def test_static_files(client):
    assert client.get("/static/style.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("url", ["", "sqlite:///relative.db"])
def test_production_refuses_to_start_half_configured(url):
    environ = {**os.environ, "APP_ENV": "production", "ALLOWED_HOSTS": "a.example.com", "DATABASE_URL": url}
    done = subprocess.run([sys.executable, "-c", "import app.main"], cwd=ROOT, env=environ, capture_output=True)
    assert done.returncode != 0 and b"DATABASE_URL" in done.stderr
