"""What stands before the lines of a text that is being typed: a mark of what is open there."""

from __future__ import annotations

from collections.abc import Sequence

from hartonomous.grammar.lexer import LexicalFault, Token, tokenize
from hartonomous.hql.shell.completeness import Blocks, Ending, closing, read_ending


def line_marks(text: str) -> list[str]:
    """For each line `read_ending(the lines above).mark`, in one pass over the text: an editor asks
    with every key."""
    tokens: list[Token] = []
    unclosed = len(text)
    try:
        tokenize(text, tokens)
    except LexicalFault as fault:
        if fault.is_unclosed:
            unclosed = fault.start
    else:
        tokens.pop()
    marks, blocks = [Ending().mark], Blocks()
    begun = count = 0
    for line in text.split("\n")[:-1]:
        begun += len(line) + 1
        while count < len(tokens) and tokens[count].end <= begun:
            blocks.take(tokens[count], tokens[count + 1] if count + 1 < len(tokens) else None)
            count += 1
        within = _opened(text, begun, tokens, count, unclosed)
        waits_for = within or "END" * blocks.is_block
        marks.append(Ending(waits_for, depth=blocks.depth).mark)
    return marks


def _opened(text: str, begun: int, tokens: Sequence[Token], count: int, unclosed: int) -> str:
    """What closes the string, name or comment that the offset `begun` is in; "" if it is in none.
    `count` tokens end before it."""
    if count < len(tokens) and tokens[count].start < begun:
        return closing(text, tokens[count].start)
    if unclosed < begun:
        return closing(text, unclosed)
    between = text[tokens[count - 1].end if count else 0 : begun]
    return read_ending(between).waits_for if "/*" in between else ""
