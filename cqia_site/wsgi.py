"""The application as web servers load it. It refuses to start with settings that are not safe."""

import os

from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cqia_site.settings")

application = get_wsgi_application()

if unsafe := [fault for fault in run_checks(tags=[Tags.security]) if fault.is_serious()]:
    raise ImproperlyConfigured(" ".join(f"{fault.msg} {fault.hint}" for fault in unsafe))
