"""A small blog: accounts, a dashboard to write posts, and a JSON API to read and write them."""

from typing import Any, Mapping, Optional

from flask import Flask, render_template, request
from werkzeug.middleware.proxy_fix import ProxyFix

from app import config
from app.extensions import csrf, db, login_manager, migrate


def create_app(overrides: Optional[Mapping[str, Any]] = None) -> Flask:
    app = Flask(__name__)
    app.config.update(config.from_environment())
    app.config.update(overrides or {})

    hops = app.config["TRUSTED_PROXIES"]
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)

    db.init_app(app)
    from app import models  # noqa: F401  (Alembic compares with what is imported)

    migrate.init_app(app, db)
    login_manager.init_app(app)
    csrf.init_app(app)
    register_blueprints(app)
    register_errors(app)
    app.after_request(add_security_headers)
    return app


def register_blueprints(app: Flask) -> None:
    from app import api, auth, health, pages

    app.register_blueprint(pages.blueprint)
    app.register_blueprint(auth.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(api.blueprint, url_prefix="/api/v1")
    # The API never looks at cookies, so there is nothing that another site could forge.
    csrf.exempt(api.blueprint)


def register_errors(app: Flask) -> None:
    def page(error):
        if request.path.startswith("/api/"):
            return {"error": error.name, "message": error.description}, error.code
        return render_template("error.html", error=error), error.code

    for code in (400, 403, 404, 405, 413, 415):
        app.register_error_handler(code, page)


def add_security_headers(response):
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
    return response
