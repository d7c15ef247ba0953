"""Settings from the environment, checked when the application starts."""

import os


class SettingsError(RuntimeError):
    """A setting is missing or unusable; the message names the variable."""


PRODUCTION = os.environ.get("APP_ENV", "development") == "production"


def required(name: str, default: str) -> str:
    value = os.environ.get(name, "")
    if PRODUCTION and not value:
        raise SettingsError(f"{name} must be set in production")
    return value or default


def database_url() -> str:
    """The URL with the driver that requirements.txt installs."""
    url = required("DATABASE_URL", "sqlite:///development.db")
    if PRODUCTION and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        raise SettingsError("DATABASE_URL must be an absolute path (sqlite:////srv/…): "
                            "a relative one lies in the release folder and is lost with it")
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url[len(scheme):]
    return url


ALLOWED_HOSTS = [host.strip() for host in required("ALLOWED_HOSTS", "*").split(",") if host.strip()]
# When set, whoever writes through the API sends it as `Authorization: Bearer …`.
API_TOKEN = os.environ.get("API_TOKEN", "")
REVISION = os.environ.get("REVISION") or None
