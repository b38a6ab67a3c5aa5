r"""\watch: runs a statement again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hartonomous.hql.shell.commands.base import Arguments, Command, Refusal

if TYPE_CHECKING:
    from hartonomous.hql.shell.state import Shell


#: seconds between two runs
INTERVAL_S = 2.0


def _run(shell: Shell, given: Arguments) -> bool:
    import itertools
    import time

    seconds, count = INTERVAL_S, None
    for word in given.words(2):
        name, mark, value = word.rpartition("=")
        if name in ("c", "count"):
            count = _count(value)
        elif name in ("", "i", "interval"):
            seconds = _number(value)
        else:
            raise Refusal(f"{word!r} is neither seconds nor c=COUNT")
    text = shell.take_text()
    if not text:
        raise Refusal("there is nothing to run yet")
    pager, shell.settings.pager = shell.settings.pager, "off"
    try:
        for turn in itertools.count(1):
            shell.say(f"{time.strftime('%c')} (every {seconds:g} s)\n")
            if not shell.run(text):
                return shell.was_interrupted
            if turn == count:
                return True
            time.sleep(seconds)
    except KeyboardInterrupt:  # the way out of \watch
        shell.say("")
    finally:
        shell.settings.pager = pager
    return True


def _number(text: str) -> float:
    try:
        number = float(text.removesuffix("s"))
    except ValueError:
        number = -1.0
    if not 0.01 <= number <= 86_400:
        raise Refusal(f"{text!r} is no number of seconds")
    return number


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise Refusal(f"{text!r} is no number of runs")
    return int(text)


WATCH = Command(
    ("watch",), "[SECONDS] [c=COUNT]", "run every 2 seconds until Ctrl-C", "Running", _run
)
