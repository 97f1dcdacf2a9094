"""The addresses of releases and tokens: below `/exports/`."""

from django.urls import path

from exports.views import comparing, files, held, mixes, policies, publishing, releases, tokens, webhooks

app_name = "exports"

urlpatterns = [
    path("", releases.index, name="releases"),
    path("new/", releases.plan, name="plan"),
    path("new/cut/", releases.cut, name="cut"),
    path("new/held/", held.show, name="held"),
    path("tokens/", tokens.index, name="tokens"),
    path("tokens/create/", tokens.create, name="token-create"),
    path("tokens/<slug:prefix>/revoke/", tokens.revoke, name="token-revoke"),
    path("webhooks/", webhooks.index, name="webhooks"),
    path("webhooks/add/", webhooks.add, name="webhook-add"),
    path("webhooks/<int:pk>/switch-off/", webhooks.switch_off, name="webhook-switch-off"),
    path("webhooks/deliveries/<int:pk>/replay/", webhooks.replay, name="delivery-replay"),
    path("mixes/", mixes.index, name="mixes"),
    path("mixes/new/", mixes.create, name="mix-new"),
    path("mixes/<slug:slug>/", mixes.edit, name="mix"),
    path("policies/", policies.index, name="policies"),
    path("policies/new/", policies.create, name="policy-new"),
    path("policies/<slug:slug>/", policies.edit, name="policy"),
    path("<str:version>/", releases.show, name="release"),
    path("<str:version>/build/", releases.build, name="release-build"),
    path("<str:version>/verify/", releases.verify, name="release-verify"),
    path("<str:version>/publish/", publishing.publish, name="release-publish"),
    path("<str:version>/withdraw/", publishing.withdraw, name="release-withdraw"),
    path("<str:version>/compare/", comparing.compare, name="release-compare"),
    path("<str:version>/files/<path:path>", files.download, name="file"),
]
