"""gunicorn's settings, from the environment and `.env`. `gunicorn wsgi:app` finds this file by itself."""

import os
from pathlib import Path

from dotenv import load_dotenv

# gunicorn reads this file before it imports wsgi.py.
load_dotenv(os.environ.get("ENV_FILE") or Path(__file__).with_name(".env"))

bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "4"))
timeout = 30
# Less than the service manager's stop timeout, so that requests under way can end.
graceful_timeout = 20
# "Ready" then means that the application has been imported, and memory is shared between workers.
preload_app = True
accesslog = "-"
errorlog = "-"


def post_fork(server, worker):
    """A worker must not share database connections that the parent may have opened."""
    from app.extensions import db
    from wsgi import app

    with app.app_context():
        db.engine.dispose(close=False)
