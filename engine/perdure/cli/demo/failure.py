"""What ends the demo early."""

from perdure.errors import PerdureError


class DemoFailed(PerdureError):
    """The demo could not be played to its end, so that it proves nothing."""

    code = "demo"
