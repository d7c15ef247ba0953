from django.urls import re_path

from rooms import consumers

websocket_urlpatterns = [re_path(r"^ws/rooms/(?P<name>\w+)/$", consumers.Room.as_asgi())]
