from flask import Blueprint

bp = Blueprint("system", __name__, url_prefix="/-")


@bp.route("/health")
def health():
    return "ok"
