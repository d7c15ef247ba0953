"""What gunicorn and the `flask` command import: `gunicorn wsgi:app`, `flask --app wsgi db upgrade`."""

import os
from pathlib import Path

from dotenv import load_dotenv

# What the environment says already wins over the file.
load_dotenv(os.environ.get("ENV_FILE") or Path(__file__).with_name(".env"))

from app import create_app  # noqa: E402  (after the environment is complete)

app = create_app()
