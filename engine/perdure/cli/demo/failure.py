"""What ends the demo early."""

from perdure.cli.exits import SaidNo


class DemoFailed(SaidNo):
    """The demo could not be played to its end, so that it proves nothing."""

    code = "demo"
