"""The addresses of imports, below `/ingest/`."""

from django.urls import path

from ingest import views

app_name = "ingest"

urlpatterns = [
    path("", views.show_jobs, name="jobs"),
    path("new/", views.new, name="new"),
    path("new/<uuid:key>/", views.look, name="staged"),
    path("new/<uuid:key>/submit/", views.submit, name="staged-submit"),
    path("new/<uuid:key>/discard/", views.discard, name="staged-discard"),
    path("new/<uuid:key>/files/<int:number>/leave-out/", views.leave_out, name="staged-leave-out"),
    path("sources/<slug:slug>/templates/", views.templates, name="templates"),
    path("jobs/<int:pk>/", views.show_job, name="job"),
    path("jobs/<int:pk>/rejects/", views.download_rejects, name="job-rejects"),
    path("jobs/<int:pk>/cancel/", views.cancel, name="job-cancel"),
    path("jobs/<int:pk>/cancel/confirm/", views.confirm_cancel, name="job-cancel-confirm"),
    path("jobs/<int:pk>/pause/", views.pause, name="job-pause"),
    path("jobs/<int:pk>/resume/", views.resume, name="job-resume"),
    path("jobs/<int:pk>/retract/", views.retract, name="job-retract"),
    path("jobs/<int:pk>/retract/confirm/", views.confirm_retract, name="job-retract-confirm"),
]
