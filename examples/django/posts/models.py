"""Tables. A change here needs a migration: `python manage.py makemigrations`, then read it."""

from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=200)
    body = models.TextField(max_length=20_000)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self):
        return self.title

    def to_dict(self):
        return {"id": self.id, "title": self.title, "body": self.body, "created_at": self.created_at.isoformat()}
