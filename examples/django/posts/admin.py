"""Posts in the admin pages."""

from django.contrib import admin

from posts.models import Post

admin.site.register(Post)
