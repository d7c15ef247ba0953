"""`/healthz`, for gates and load balancers: 200 only when the database answers and has been migrated."""

from flask import Blueprint, current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz():
    headers = {"Cache-Control": "no-store"}
    revision = current_app.config["REVISION"]
    try:
        schema = db.session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    except SQLAlchemyError as error:
        # The details may name hosts and users: they go to the log, not to the visitor.
        current_app.logger.error("health check: %s", error)
        return {"status": "error", "database": "error", "revision": revision}, 503, headers
    return {"status": "ok", "database": "ok", "schema": schema, "revision": revision}, 200, headers
