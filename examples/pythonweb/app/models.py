"""Tables. A change here needs a revision: `flask db migrate -m "what changed"`, then read it."""

import hashlib
import secrets
from datetime import datetime, timezone
from typing import List, Optional

from flask_login import UserMixin
from sqlalchemy import DateTime, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from werkzeug.security import check_password_hash, generate_password_hash

from app.extensions import db, login_manager

TITLE_LENGTH = 200
BODY_LENGTH = 20_000

# Checked when the account does not exist, so that the answer takes as long as for one that does.
NOBODY = generate_password_hash(secrets.token_hex(16))


def now() -> datetime:
    return datetime.now(timezone.utc)


class User(UserMixin, db.Model):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    # scrypt's hash has 162 characters; PostgreSQL would refuse what does not fit.
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    # SHA-256 of the token: it is random and long, so a slow hash would add nothing.
    api_token_hash: Mapped[Optional[str]] = mapped_column(String(64), unique=True)

    posts: Mapped[List["Post"]] = relationship(back_populates="author", cascade="all, delete-orphan")

    def set_password(self, password: str) -> None:
        self.password_hash = generate_password_hash(password)

    def new_api_token(self) -> str:
        """A new token, which replaces the one before. Only its hash is kept."""
        token = secrets.token_urlsafe(32)
        self.api_token_hash = hash_token(token)
        return token

    @staticmethod
    def by_email(email: str) -> Optional["User"]:
        return db.session.scalar(select(User).where(User.email == email.strip().lower()))

    @staticmethod
    def by_api_token(token: str) -> Optional["User"]:
        return db.session.scalar(select(User).where(User.api_token_hash == hash_token(token)))

    @staticmethod
    def authenticate(email: str, password: str) -> Optional["User"]:
        user = User.by_email(email)
        right = check_password_hash(user.password_hash if user else NOBODY, password)
        return user if user and right else None


class Post(db.Model):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, index=True)

    author: Mapped[User] = relationship(back_populates="posts")

    def to_dict(self) -> dict:
        created = self.created_at
        if created.tzinfo is None:  # SQLite keeps no time zone
            created = created.replace(tzinfo=timezone.utc)
        return {
            "id": self.id,
            "title": self.title,
            "body": self.body,
            "author": self.author.name,
            "created_at": created.isoformat(),
        }


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@login_manager.user_loader
def load_user(user_id: str) -> Optional[User]:
    return db.session.get(User, int(user_id))
