"""Forms of the pages; each carries a CSRF token."""

from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, PasswordField, StringField, TextAreaField
from wtforms.validators import EqualTo, InputRequired, Length, Regexp

from app.models import BODY_LENGTH, TITLE_LENGTH


class RegisterForm(FlaskForm):
    name = StringField("Name", [InputRequired(), Length(max=80)])
    email = EmailField(
        "Email", [InputRequired(), Length(max=254), Regexp(r"^[^@\s]+@[^@\s]+$", message="Not an email address.")]
    )
    # Long passwords cost time to hash; nobody types more.
    password = PasswordField("Password", [InputRequired(), Length(10, 200, "Use 10 to 200 characters.")])
    repeat = PasswordField("Password again", [EqualTo("password", "The passwords differ.")])


class LoginForm(FlaskForm):
    email = EmailField("Email", [InputRequired(), Length(max=254)])
    password = PasswordField("Password", [InputRequired(), Length(max=200)])
    remember = BooleanField("Stay logged in")


class PostForm(FlaskForm):
    title = StringField("Title", [InputRequired(), Length(max=TITLE_LENGTH)])
    body = TextAreaField("Text", [InputRequired(), Length(max=BODY_LENGTH)])


class ConfirmForm(FlaskForm):
    """A button and its CSRF token."""
