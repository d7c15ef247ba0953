"""Which path leads where."""

from django.contrib import admin
from django.urls import path

from posts import views

urlpatterns = [
    path("", views.index),
    path("healthz", views.healthz),
    path("api/v1/posts", views.api_posts),
    path("admin/", admin.site.urls),
]
