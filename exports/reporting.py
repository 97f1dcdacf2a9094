"""How the commands about releases speak."""

from exports.storage import Damaged
from review import reporting


class ReportingCommand(reporting.ReportingCommand):
    """A command with `--json` that may meet damaged files."""

    told = (Damaged,)
