"""The page, the JSON API, and what gates and load balancers ask."""

import hmac
import json
import logging

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import Error
from django.http import JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from posts.models import Post

PAGE_SIZE = 20


@require_GET
def index(request):
    return render(request, "posts/index.html", {"posts": Post.objects.all()[:PAGE_SIZE]})


@require_GET
def healthz(request):
    """200 only when the database answers and has been migrated."""
    answer = {"status": "ok", "database": "ok", "revision": settings.REVISION}
    try:
        Post.objects.exists()
    except Error as error:
        # The details may name hosts and users: they go to the log, not to the visitor.
        logging.getLogger(__name__).error("health check: %s", error)
        answer.update(status="error", database="error")
    return JsonResponse(answer, status=200 if answer["status"] == "ok" else 503)


# The API never looks at cookies, so there is nothing that another site could forge.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def api_posts(request):
    if request.method == "GET":
        posts = [post.to_dict() for post in Post.objects.all()[:PAGE_SIZE]]
        return JsonResponse({"posts": posts, "total": Post.objects.count()})
    if not may_write(request):
        return JsonResponse({"error": "Unauthorized"}, status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        post = post_from(json.loads(request.body))
    except ValueError:
        return JsonResponse({"error": "the body is not JSON"}, status=400)
    except ValidationError as error:
        return JsonResponse({"error": "invalid", "fields": error.message_dict}, status=422)
    post.save()
    return JsonResponse(post.to_dict(), status=201)


def may_write(request):
    given = request.headers.get("Authorization", "")
    return not settings.API_TOKEN or hmac.compare_digest(given.encode(), f"Bearer {settings.API_TOKEN}".encode())


def post_from(data):
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in ("title", "body")):
        raise ValidationError({"title": "title and body must be texts"})
    for key in ("title", "body"):
        if "\x00" in data[key]:
            raise ValidationError({key: "must not contain NUL"})  # PostgreSQL cannot store it
    post = Post(title=data["title"].strip(), body=data["body"].strip())
    post.full_clean()
    return post
