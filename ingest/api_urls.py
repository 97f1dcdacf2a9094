"""The addresses below `/api/v1/ingest/` for those who bring data in."""

from django.urls import path

from ingest import api

urlpatterns = [
    path("jobs/", api.JobList.as_view(), name="ingest-jobs"),
    path("jobs/<int:pk>/", api.JobDetail.as_view(), name="ingest-job"),
    path("jobs/<int:pk>/pause/", api.JobPause.as_view(), name="ingest-job-pause"),
    path("jobs/<int:pk>/resume/", api.JobResume.as_view(), name="ingest-job-resume"),
    path("jobs/<int:pk>/cancel/", api.JobCancel.as_view(), name="ingest-job-cancel"),
]
