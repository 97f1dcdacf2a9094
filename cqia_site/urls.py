"""The addresses of the whole application."""

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from cqia_site import health, schema, views
from cqia_site.metrics import MetricsView
from review.views import home

handler400 = views.bad_request
handler404 = views.not_found
handler500 = views.server_error

urlpatterns = [
    path("", home.show, name="home"),
    path("review/", include("review.urls")),
    path("ingest/", include("ingest.urls")),
    path("exports/", include("exports.urls")),
    path("account/", include("cqia_site.account_urls")),
    path("account/language/", login_not_required(require_POST(set_language)), name="language"),
    path("api/v1/", include("exports.api_urls")),
    path("api/v1/ingest/", include("ingest.api_urls")),
    path("api/schema/", schema.schema, name="schema"),
    path("api/docs/", schema.docs, name="docs"),
    path("admin/", admin.site.urls),
    path("healthz", health.alive, name="alive"),
    path("readyz", health.ready, name="ready"),
    path("metrics", MetricsView.as_view(), name="metrics"),
]
