from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "django-insecure-not-a-secret-at-all"
DEBUG = True
ALLOWED_HOSTS = []
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
ASGI_APPLICATION = "chat.asgi.application"
STATIC_URL = "/static/"
