import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
PREFIX = os.environ.get("PREFIX", "")
ALLOWED_HOSTS = os.environ["ALLOWED_HOSTS"].split(",")
STATIC_URL = f"/{PREFIX}static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
