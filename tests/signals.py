"""Signals in child processes of tests."""

import signal


def heed_interrupt() -> None:
    """For Popen's preexec_fn. A job in the background of a shell script ignores SIGINT, and so do
    its children, whatever they are: the tests that press Ctrl-C start one that does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
