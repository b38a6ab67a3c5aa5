"""How BREAK, CONTINUE and RETURN leave what they stand in. They never leave a session."""


class Signal(Exception):
    """A jump out of statements that are being played."""


class Break(Signal):
    """Ends the loop."""


class Continue(Signal):
    """Begins the loop's next turn."""


class Return(Signal):
    """Ends the text. What it returns is in the frame's `return_value`."""
