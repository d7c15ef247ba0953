"""Configuration from the environment, checked when the application starts."""

import os
from typing import Any, Dict


class ConfigError(RuntimeError):
    """A setting is missing or unusable; the message names the variable."""


def from_environment() -> Dict[str, Any]:
    env = os.environ
    production = env.get("APP_ENV", "development") == "production"
    secret = env.get("SECRET_KEY", "")
    if production and len(secret) < 32:
        raise ConfigError("SECRET_KEY must be set to at least 32 characters in production")
    if production and not env.get("DATABASE_URL"):
        raise ConfigError("DATABASE_URL must be set in production")
    url = database_url(env.get("DATABASE_URL") or "sqlite:///development.db")
    if production and url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        raise ConfigError("DATABASE_URL must be an absolute path (sqlite:////srv/…): "
                          "a relative one lies in the release folder and is lost with it")
    return {
        "SECRET_KEY": secret or "for development only",
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_pre_ping": True},
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": flag("SESSION_COOKIE_SECURE", production),
        "REMEMBER_COOKIE_HTTPONLY": True,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_SECURE": flag("SESSION_COOKIE_SECURE", production),
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "TRUSTED_PROXIES": number("TRUSTED_PROXIES", 0),
        "REVISION": env.get("REVISION") or None,
    }


def database_url(url: str) -> str:
    """The URL with the driver that requirements-postgres.txt installs."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url[len(scheme):]
    return url


def flag(name: str, default: bool) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name} must be 1 or 0, not {value!r}")


def number(name: str, default: int) -> int:
    value = os.environ.get(name, "").strip()
    if value and not value.isdigit():
        raise ConfigError(f"{name} must be a whole number, not {value!r}")
    return int(value) if value else default
