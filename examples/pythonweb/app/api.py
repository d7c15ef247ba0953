"""`/api/v1`: everybody may read posts; writing needs the bearer token of an account."""

from typing import Any, Dict, Optional

from flask import Blueprint, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.models import BODY_LENGTH, TITLE_LENGTH, Post, User

blueprint = Blueprint("api", __name__)

PAGE_SIZE = 20
LARGEST_PAGE = 100
LARGEST_ID = 2**31 - 1


@blueprint.get("/posts")
def list_posts():
    fields: Dict[str, str] = {}
    page = whole_number("page", 1, LARGEST_ID // LARGEST_PAGE, fields)
    size = whole_number("per_page", PAGE_SIZE, LARGEST_PAGE, fields)
    if fields:
        return invalid(fields)
    newest = select(Post).options(joinedload(Post.author)).order_by(Post.id.desc())
    posts = db.session.scalars(newest.offset((page - 1) * size).limit(size))
    total = db.session.scalar(select(func.count()).select_from(Post))
    return {"posts": [post.to_dict() for post in posts], "page": page, "per_page": size, "total": total}


@blueprint.get("/posts/<int:post_id>")
def show_post(post_id: int):
    post = db.session.get(Post, post_id) if post_id <= LARGEST_ID else None
    if post is None:
        return {"error": "Not Found", "message": f"There is no post {post_id}."}, 404
    return post.to_dict()


@blueprint.post("/posts")
def create_post():
    user = bearer()
    if user is None:
        message = "Send the token of your dashboard as 'Authorization: Bearer …'."
        return {"error": "Unauthorized", "message": message}, 401, {"WWW-Authenticate": "Bearer"}
    data = request.get_json()
    fields = check_post(data)
    if fields:
        return invalid(fields)
    post = Post(title=data["title"].strip(), body=data["body"], author=user)
    db.session.add(post)
    db.session.commit()
    return post.to_dict(), 201, {"Location": url_for("api.show_post", post_id=post.id)}


def bearer() -> Optional[User]:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return User.by_api_token(token.strip()) if scheme.lower() == "bearer" and token.strip() else None


def check_post(data: Any) -> Dict[str, str]:
    """What is wrong, by field; empty when nothing is."""
    if not isinstance(data, dict):
        return {"": "must be an object with title and body"}
    fields = {key: "is not a field of a post" for key in data if key not in ("title", "body")}
    for key, longest in (("title", TITLE_LENGTH), ("body", BODY_LENGTH)):
        value = data.get(key)
        if not isinstance(value, str) or not value.strip():
            fields[key] = "must be a text that is not empty"
        elif len(value) > longest:
            fields[key] = f"must not be longer than {longest} characters"
        elif "\x00" in value:
            fields[key] = "must not contain NUL"  # PostgreSQL cannot store it
    return fields


def whole_number(name: str, default: int, largest: int, fields: Dict[str, str]) -> int:
    text = request.args.get(name, str(default))
    if text.isascii() and text.isdigit() and len(text) < 12 and 1 <= int(text) <= largest:
        return int(text)
    fields[name] = f"must be a whole number from 1 to {largest}"
    return default


def invalid(fields: Dict[str, str]):
    return {"error": "Unprocessable Entity", "message": "Some fields are not valid.", "fields": fields}, 422
