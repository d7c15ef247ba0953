"""Pages: the front page, and the dashboard with its forms."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_login import current_user, login_required
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.forms import ConfirmForm, PostForm
from app.models import Post

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def index():
    newest = select(Post).options(joinedload(Post.author)).order_by(Post.created_at.desc(), Post.id.desc())
    return render_template("index.html", posts=db.session.scalars(newest.limit(20)).all())


@blueprint.get("/dashboard")
@login_required
def dashboard(form=None, token=None, status=200):
    mine = select(Post).where(Post.author_id == current_user.id).order_by(Post.id.desc())
    page = render_template(
        "dashboard.html",
        posts=db.session.scalars(mine.limit(100)).all(),
        form=form or PostForm(),
        confirm=ConfirmForm(),
        token=token,
    )
    return page, status, {"Cache-Control": "no-store"}


@blueprint.post("/posts")
@login_required
def create_post():
    form = PostForm()
    if not form.validate_on_submit():
        return dashboard(form, status=400)
    db.session.add(Post(title=form.title.data.strip(), body=form.body.data, author=current_user))
    db.session.commit()
    flash("Published.", "ok")
    return redirect(url_for("pages.dashboard"))


@blueprint.post("/token")
@login_required
def create_token():
    if not ConfirmForm().validate_on_submit():
        return redirect(url_for("pages.dashboard"))
    token = current_user.new_api_token()
    db.session.commit()
    # Shown in this answer and never again: a redirect would have to keep it somewhere.
    return dashboard(token=token)
