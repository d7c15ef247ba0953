"""The application: `uvicorn app.main:app`."""

import hmac
import logging
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app import database, settings
from app.models import Post

HERE = Path(__file__).parent
PAGE_SIZE = 20

app = FastAPI(title="Fastapiweb")
app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.ALLOWED_HOSTS)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
templates = Jinja2Templates(HERE / "templates")

DB = Annotated[Session, Depends(database.session)]


class NewPost(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    body: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]

    @field_validator("title", "body")
    @classmethod
    def storable(cls, value: str) -> str:
        if "\x00" in value:
            raise ValueError("must not contain NUL")  # PostgreSQL cannot store it
        return value


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    body: str
    created_at: datetime

    @field_validator("created_at")
    @classmethod
    def in_utc(cls, value: datetime) -> datetime:
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)  # SQLite keeps no time zone


def may_write(authorization: Annotated[str, Header()] = "") -> None:
    wanted = f"Bearer {settings.API_TOKEN}"
    if settings.API_TOKEN and not hmac.compare_digest(authorization.encode(), wanted.encode()):
        raise HTTPException(401, "send the token as 'Authorization: Bearer …'", {"WWW-Authenticate": "Bearer"})


def newest(db: Session) -> list[Post]:
    return list(db.scalars(select(Post).order_by(Post.id.desc()).limit(PAGE_SIZE)))


@app.get("/", response_class=HTMLResponse)
def index(request: Request, db: DB):
    return templates.TemplateResponse(request, "index.html", {"posts": newest(db)})


@app.get("/healthz")
def healthz(db: DB):
    """200 only when the database answers and has been migrated."""
    answer = {"status": "ok", "database": "ok", "revision": settings.REVISION}
    try:
        db.scalar(select(Post.id).limit(1))
    except SQLAlchemyError as error:
        # The details may name hosts and users: they go to the log, not to the visitor.
        logging.getLogger(__name__).error("health check: %s", error)
        return JSONResponse({**answer, "status": "error", "database": "error"}, 503)
    return answer


@app.get("/api/v1/posts")
def list_posts(db: DB):
    posts = [PostOut.model_validate(post) for post in newest(db)]
    return {"posts": posts, "total": db.scalar(select(func.count()).select_from(Post))}


@app.post("/api/v1/posts", status_code=201, dependencies=[Depends(may_write)])
def create_post(new: NewPost, db: DB) -> PostOut:
    post = Post(title=new.title, body=new.body)
    db.add(post)
    db.commit()
    return PostOut.model_validate(post)


@app.websocket("/ws")
async def echo(socket: WebSocket):
    """Says back what it hears, for as long as the visitor stays."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
