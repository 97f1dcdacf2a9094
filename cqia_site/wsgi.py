"""The application as web servers load it. It refuses to start with settings that are not safe."""

import gc
import os

from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application

from cqia_site.warming import warm
from review import depot

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cqia_site.settings")

application = get_wsgi_application()

if unsafe := [fault for fault in run_checks(tags=[Tags.security]) if fault.is_serious()]:
    raise ImproperlyConfigured(" ".join(f"{fault.msg} {fault.hint}" for fault in unsafe))

warm()
# What is loaded by now stays: the collector need not walk through it again, and forked workers go on sharing it. What
# a request leaves behind is small, so it is collected every few requests instead of several times in each.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)

request_started.connect(depot.keep_tidy)  # not here: a thread does not outlive a fork
