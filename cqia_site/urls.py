"""The addresses of the whole application."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

urlpatterns = [
    path(
        "account/login/",
        LoginView.as_view(template_name="account/login.html"),
        name="login",
    ),
    path("account/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
