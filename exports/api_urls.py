"""The addresses below `/api/v1/` for those who take data out."""

from django.urls import path

from exports import api

urlpatterns = [
    path("export/records.jsonl", api.RecordStream.as_view(), name="export-records"),
    path("export/changes.jsonl", api.ChangeStream.as_view(), name="export-changes"),
    path("releases/", api.ReleaseList.as_view(), name="export-releases"),
    path("releases/<str:version>/", api.ReleaseManifest.as_view(), name="export-release"),
    path("releases/<str:version>/files/<path:path>", api.ReleaseFile.as_view(), name="export-file"),
]
