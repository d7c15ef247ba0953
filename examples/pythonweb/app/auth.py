"""Register, log in, log out."""

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.forms import ConfirmForm, LoginForm, RegisterForm
from app.models import User

blueprint = Blueprint("auth", __name__)


@blueprint.route("/register", methods=["GET", "POST"])
def register():
    if current_user.is_authenticated:
        return redirect(url_for("pages.dashboard"))
    form = RegisterForm()
    if form.validate_on_submit():
        user = User(name=form.name.data.strip(), email=form.email.data.strip().lower())
        user.set_password(form.password.data)
        db.session.add(user)
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            form.email.errors = [*form.email.errors, "There is an account with this address already."]
        else:
            start_session(user, remember=False)
            return redirect(url_for("pages.dashboard"))
    return render_template("register.html", form=form), 400 if form.errors else 200


@blueprint.route("/login", methods=["GET", "POST"])
def login():
    if current_user.is_authenticated:
        return redirect(url_for("pages.dashboard"))
    form = LoginForm()
    if form.validate_on_submit():
        user = User.authenticate(form.email.data, form.password.data)
        if user:
            start_session(user, form.remember.data)
            return redirect(local_target(request.args.get("next")))
        flash("Email or password is wrong.", "error")
        return render_template("login.html", form=form), 401
    return render_template("login.html", form=form), 400 if form.errors else 200


@blueprint.post("/logout")
@login_required
def logout():
    if ConfirmForm().validate_on_submit():
        logout_user()
        session.clear()
    return redirect(url_for("pages.index"))


def start_session(user: User, remember: bool) -> None:
    # What an anonymous visitor's cookie held must not live on in the account's session.
    session.clear()
    login_user(user, remember=remember)


def local_target(target) -> str:
    """Where to go after the login: only ever a path of this site."""
    parts = urlsplit(target or "")
    local = target and not parts.scheme and not parts.netloc and target.startswith("/") and "\\" not in target
    return target if local and not target.startswith("//") else url_for("pages.dashboard")
