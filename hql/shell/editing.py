"""The line editor: prompt_toolkit with our completion, colours, history and rule of what is sent.

Enter sends a text that is complete (completeness.py) and otherwise begins a new line; Alt-Enter
sends whatever stands there. Ctrl-R searches the history, Ctrl-X Ctrl-E opens $EDITOR, Ctrl-C clears
what is written, Ctrl-D on an empty prompt leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import CompletionState
from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    get_common_complete_suffix,
)
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, completion_is_selected, has_focus, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import ColorDepth, create_output
from prompt_toolkit.styles import Style

from hartonomous.hql.shell.completeness import TOLD_MAX
from hartonomous.hql.shell.completion import Candidate
from hartonomous.hql.shell.highlight import STYLE, spans
from hartonomous.hql.shell.history import StatementHistory
from hartonomous.hql.shell.line_marks import line_marks

#: lines that the menu of candidates may take below the text
MENU_LINES = 8
#: letters of a word after which candidates are shown unasked
LETTERS_MIN = 2
INDENT = "    "

#: gives the candidates at an offset of a text
Complete = Callable[[str, int], list[Candidate]]

_LOOKS = {
    **{f"hql.{kind}": look for kind, look in STYLE.items()},
    "prompt": "bold",
    "continuation": "ansibrightblack",
    "auto-suggestion": "ansibrightblack",
    "bottom-toolbar": "noreverse bg:ansibrightblack ansiwhite",
    "bottom-toolbar.warning": "noreverse bg:ansiyellow ansiblack",
    "completion-menu": "bg:ansibrightblack ansiwhite",
    "completion-menu.completion.current": "noreverse bg:ansicyan ansiblack",
    "completion-menu.meta.completion": "bg:ansibrightblack ansigray",
    "completion-menu.meta.completion.current": "noreverse bg:ansicyan ansiblack",
}


class Editor:
    """Asks for one text at a time. `prompt` gives what stands before it, `toolbar` the last line
    of the screen for the text that is written and the screen's width, `is_to_send` whether Enter
    sends it."""

    def __init__(
        self,
        complete: Complete,
        history: StatementHistory,
        prompt: Callable[[], str],
        toolbar: Callable[[str, int], StyleAndTextTuples],
        is_to_send: Callable[[str], bool],
        *,
        colours: bool,
    ) -> None:
        self.history = history
        self._marked, self._marks = "", [""]  # a text, and the marks before its lines
        completer = TextCompleter(complete)
        self._session: PromptSession[str] = PromptSession(
            message=lambda: [("class:prompt", prompt())],
            multiline=True,
            lexer=TextLexer() if colours else None,
            completer=completer,
            complete_in_thread=True,
            complete_while_typing=True,
            reserve_space_for_menu=MENU_LINES,
            history=history,
            # a suggestion that cannot be told from what is written would be a lie
            auto_suggest=AutoSuggestFromHistory() if colours else None,
            key_bindings=_bindings(is_to_send, completer),
            prompt_continuation=self._continuation,
            bottom_toolbar=lambda: toolbar(
                get_app().current_buffer.text, get_app().output.get_size().columns
            ),
            style=Style.from_dict(_LOOKS) if colours else Style([]),
            color_depth=None if colours else ColorDepth.DEPTH_1_BIT,
            enable_open_in_editor=True,
            tempfile_suffix=".hql",
            enable_suspend=True,
            include_default_pygments_style=False,
            output=create_output(always_prefer_tty=True),
        )

    def read(self, text: str = "") -> str:
        """What was sent; `text` stands there at first. Raises KeyboardInterrupt (Ctrl-C) and
        EOFError (Ctrl-D)."""
        return self._session.prompt(default=text)

    def _continuation(self, width: int, line: int, wrapped: int) -> StyleAndTextTuples:
        """What stands before the lines after the first: as wide as the prompt, and what is open."""
        if wrapped:
            return [("", " " * width)]
        text = self._session.default_buffer.text
        if text != self._marked:
            self._marked = text
            self._marks = line_marks(text) if len(text) <= TOLD_MAX else []
        mark = self._marks[line] if line < len(self._marks) else "-"
        return [("class:continuation", f"{mark}> ".rjust(width))]


class TextLexer(Lexer):
    """Our colours as prompt_toolkit wants them: by lines."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        lines: list[StyleAndTextTuples] = [[]]
        end = 0
        text = document.text
        parts = [] if text.startswith("\\") else list(spans(text))
        for start, stop, kind in [*parts, (len(text), len(text), "name")]:
            for style, piece in (("", text[end:start]), (f"class:hql.{kind}", text[start:stop])):
                first, *others = piece.split("\n")
                lines[-1].append((style, first))
                lines.extend([(style, other)] for other in others)
            end = stop
        return lambda number: lines[number] if number < len(lines) else []


class TextCompleter(Completer):
    """Our candidates as prompt_toolkit wants them."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        text, cursor = document.text, document.cursor_position
        if not complete_event.completion_requested and not _is_worth_it(text[:cursor]):
            return
        for candidate in self._complete(text, cursor):
            yield Completion(candidate.text, candidate.start - cursor, display_meta=candidate.what)


def _is_worth_it(before: str) -> bool:
    """Whether candidates are shown though nobody asked: behind a dot or some letters of a word."""
    if before.endswith((".", "::", "@")):
        return True
    word = len(before) - len(before.rstrip("_")) if before.endswith("_") else 0
    while word < min(len(before), LETTERS_MIN) and (before[-1 - word].isalnum()):
        word += 1
    return word >= LETTERS_MIN and not before[-LETTERS_MIN:].isdigit()


def _bindings(is_to_send: Callable[[str], bool], completer: TextCompleter) -> KeyBindings:
    keys = KeyBindings()
    is_editing = has_focus("DEFAULT_BUFFER") & ~is_searching

    @Condition
    def is_in_margin() -> bool:
        """The cursor has nothing but space before it, on a line that is not the first."""
        document = get_app().current_buffer.document
        return document.cursor_position_row > 0 and not document.current_line_before_cursor.strip()

    @keys.add("enter", filter=is_editing & ~completion_is_selected)
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_to_send(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=True)

    @keys.add("enter", filter=is_editing & completion_is_selected)
    def _take(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None  # the candidate stands in the text already

    @keys.add("escape", "enter", filter=is_editing)
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("tab", filter=is_editing & is_in_margin & ~completion_is_selected)
    def _indent(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text(INDENT)

    @keys.add("tab", filter=is_editing & ~is_in_margin)
    def _complete(event: KeyPressEvent) -> None:
        """Not in a thread: what is typed behind the key must find the word completed."""
        buffer = event.current_buffer
        state = buffer.complete_state
        if state is not None and len(state.completions) > 1:
            buffer.complete_next()
            return
        asked = CompleteEvent(completion_requested=True)
        found = list(completer.get_completions(buffer.document, asked))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        elif common := get_common_complete_suffix(buffer.document, found):
            buffer.insert_text(common)
        elif found:
            buffer.complete_state = CompletionState(buffer.document, found)

    return keys
