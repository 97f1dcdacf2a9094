"""The addresses that these tests ask, and no others."""

from django.urls import include, path

urlpatterns = [path("api/v1/", include("exports.api_urls"))]
