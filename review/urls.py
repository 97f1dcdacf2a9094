"""The addresses of review: /review/…; home stands at the root of the site."""

from django.urls import path

from review.views import comments, guidelines, history, people, queue, sources, workbench

app_name = "review"

urlpatterns = [
    path("", queue.show, name="queue"),
    path("next/", queue.take, name="next"),
    path("records/<int:pk>/", workbench.show, name="record"),
    path("records/<int:pk>/claim/", workbench.claim, name="record-claim"),
    path("records/<int:pk>/decide/", workbench.decide, name="record-decide"),
    path("records/<int:pk>/skip/", workbench.skip, name="record-skip"),
    path("records/<int:pk>/release/", workbench.release, name="record-release"),
    path("records/<int:pk>/draft/", workbench.save_draft, name="record-draft"),
    path("records/<int:pk>/look/", workbench.look, name="record-look"),
    path("records/<int:pk>/free/", workbench.free, name="record-free"),
    path("records/<int:pk>/comments/", comments.show, name="record-comments"),
    path("records/<int:pk>/near/", history.near, name="record-near"),
    path("records/<int:pk>/history/", history.show, name="record-history"),
    path("records/<int:pk>/restore/", history.restore, name="record-restore"),
    path("records/<int:pk>/take-up/", history.take_up, name="record-take-up"),
    path("guidelines/", guidelines.index, name="guidelines"),
    path("guidelines/<slug:slug>/", guidelines.show, name="guideline"),
    path("guidelines/<slug:slug>/edit/", guidelines.edit, name="guideline-edit"),
    path("claims/<uuid:token>/extend/", workbench.extend, name="claim-extend"),
    path("claims/<uuid:token>/leave/", workbench.leave, name="claim-leave"),
    path("decisions/<int:pk>/undo/", workbench.undo, name="decision-undo"),
    path("records/<int:pk>/rights/", sources.decide_record, name="record-rights"),
    path("sources/", sources.index, name="sources"),
    path("sources/<slug:slug>/", sources.show, name="source"),
    path("sources/<slug:slug>/rights/", sources.decide_source, name="source-rights"),
    path("sources/<slug:slug>/batches/<int:pk>/rights/", sources.decide_batch, name="batch-rights"),
    path("people/", people.show_list, name="people"),
    path("people/invite/", people.invite, name="people-invite"),
    path("people/<int:pk>/", people.show, name="person"),
    path("people/<int:pk>/change-details/", people.change_details, name="person-change-details"),
    path("people/<int:pk>/change-roles/", people.change_roles, name="person-change-roles"),
    path("people/<int:pk>/limit-sources/", people.limit_sources, name="person-limit-sources"),
    path("people/<int:pk>/disable/", people.disable, name="person-disable"),
    path("people/<int:pk>/enable/", people.enable, name="person-enable"),
    path("people/<int:pk>/sign-out/", people.sign_out, name="person-sign-out"),
    path("people/<int:pk>/make-link/", people.make_link, name="person-make-link"),
    path("people/<int:pk>/revoke-token/", people.revoke_token, name="person-revoke-token"),
    path("people/<int:pk>/remove-second-factor/", people.remove_second_factor, name="person-remove-second-factor"),
]
