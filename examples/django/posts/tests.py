"""What visitors and a deployment rely on."""

import json
import os
import subprocess
import sys

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import SimpleTestCase, TestCase, override_settings

from posts.models import Post


def send(client, **post):
    return client.post("/api/v1/posts", data=json.dumps(post), content_type="application/json")


class Site(TestCase):
    def test_a_post_made_through_the_api_is_on_the_page(self):
        answer = send(self.client, title=" <b>Bold</b> ", body="Ünïcode")
        self.assertEqual((answer.status_code, answer.json()["title"]), (201, "<b>Bold</b>"))
        self.assertContains(self.client.get("/"), "&lt;b&gt;Bold&lt;/b&gt;")
        self.assertEqual(self.client.get("/api/v1/posts").json(), {"posts": [answer.json()], "total": 1})

    def test_what_is_wrong_is_said(self):
        for post in ({}, {"title": "x"}, {"title": " ", "body": "x"}, {"title": "x" * 201, "body": "y"}, {"title": "\0", "body": "y"}):
            self.assertEqual(send(self.client, **post).status_code, 422, post)
        broken = self.client.post("/api/v1/posts", data="{", content_type="application/json")
        self.assertEqual(broken.status_code, 400)
        self.assertFalse(Post.objects.exists())

    @override_settings(API_TOKEN="a token")
    def test_writing_needs_the_token_where_there_is_one(self):
        self.assertEqual(send(self.client, title="x", body="y").status_code, 401)
        self.client.defaults["HTTP_AUTHORIZATION"] = "Bearer a token"
        self.assertEqual(send(self.client, title="x", body="y").status_code, 201)

    def test_healthy(self):
        self.assertEqual(self.client.get("/healthz").json()["database"], "ok")

    def test_migrations_make_what_the_models_say(self):
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)


class Settings(SimpleTestCase):
    def test_static_files_are_found(self):
        self.assertTrue(finders.find("posts/style.css"))

    def test_production_refuses_to_start_half_configured(self):
        whole = {"SECRET_KEY": "s" * 40, "ALLOWED_HOSTS": "a.example.com", "DATABASE_URL": "sqlite:////srv/a.db"}
        for missing in whole:
            environ = {**os.environ, **whole, "APP_ENV": "production", missing: ""}
            command = [sys.executable, "-c", "import djangoweb.settings"]
            done = subprocess.run(command, cwd=settings.BASE_DIR, env=environ, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(missing, done.stderr)
