"""The addresses below `/api/v1/ingest/` for those who bring data in."""

from django.urls import path

from ingest import api

urlpatterns = [
    path("jobs/", api.JobList.as_view(), name="ingest-jobs"),
    path("jobs/<int:pk>/", api.JobDetail.as_view(), name="ingest-job"),
]
