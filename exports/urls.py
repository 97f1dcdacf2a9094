"""The addresses of releases and tokens: below `/exports/`."""

from django.urls import path

from exports.views import files, releases, tokens

app_name = "exports"

urlpatterns = [
    path("", releases.index, name="releases"),
    path("new/", releases.plan, name="plan"),
    path("new/cut/", releases.cut, name="cut"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/create/", tokens.create, name="token-create"),
    path("tokens/<slug:prefix>/revoke/", tokens.revoke, name="token-revoke"),
    path("<str:version>/", releases.show, name="release"),
    path("<str:version>/build/", releases.build, name="release-build"),
    path("<str:version>/verify/", releases.verify, name="release-verify"),
    path("<str:version>/files/<path:path>", files.download, name="file"),
]
