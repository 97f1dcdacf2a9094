from django.db import models
from django.db.models import Func


class ClockTimestamp(Func):
    """The time by the database's clock at this moment, not at the start of the transaction."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()
