"""What a tokenizer is: text to token ids and back, the same wherever the model came from.

Decoding is one rule for all kinds: every token has bytes (the first of a text may have others, as
SentencePiece drops its leading space), the bytes are joined and read as UTF-8, and what is no
UTF-8 becomes U+FFFD. So a stream that holds back the beginning of a character gives, piece by
piece, exactly what decoding all at once gives.
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hartonomous.hql.errors import ExecutionFault
from hartonomous.hql.frozen import frozen

#: bytes of one text; more is refused rather than left to fill the memory
TEXT_BYTES_MAX: Final = 1 << 28


@frozen
class SpecialTokens:
    """Ids that mean something beside their text. `prefix` and `suffix` are what encode adds before
    and after a text; `ends` are all tokens after which a model has said its turn."""

    begin: int | None = None
    end: int | None = None
    unknown: int | None = None
    padding: int | None = None
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    ends: frozenset[int] = frozenset()
    #: never part of a decoded text, unless it is asked for
    hidden: frozenset[int] = frozenset()


class Tokenizer(ABC):
    """A loaded tokenizer. Immutable, safe across threads.

    `hash`: SHA-256, in hex, of the packed form: equal for equal tokenizers, and the name of the
    stored object. `size`: ids run below it, with holes perhaps. `chat_template`: Jinja text.
    """

    def __init__(
        self, digest: str, size: int, special: SpecialTokens, chat_template: str | None = None
    ) -> None:
        self.hash, self.size, self.special = digest, size, special
        self.chat_template = chat_template

    @property
    def begin(self) -> int | None:
        return self.special.begin

    @property
    def end(self) -> int | None:
        return self.special.end

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens after which generation stops: end of text, of turn, of message."""
        return self.special.ends

    def encode(
        self, text: str, add_special: bool = True, tokens_max: int | None = None
    ) -> list[int]:
        """Token ids of a text; `tokens_max` cuts the text's own tokens, never what is added before
        and after. Special tokens written out in the text are found as such, as in Hugging Face's
        tokenizers. ExecutionFault MODEL_INPUT if the tokenizer cannot."""
        return self.encode_batch([text], add_special, tokens_max)[0]

    def encode_batch(
        self, texts: Sequence[str], add_special: bool = True, tokens_max: int | None = None
    ) -> list[list[int]]:
        """encode() of each; a text's ids do not depend on the others."""
        for text in texts:
            if len(text) > TEXT_BYTES_MAX:
                raise model_input(f"a text of {len(text):,} characters is too long to tokenize")
        found = self.encode_plain(texts)
        prefix, suffix = self.special.prefix, self.special.suffix
        if not add_special:
            prefix = suffix = ()
        if tokens_max is not None:
            room = max(tokens_max - len(prefix) - len(suffix), 0)
            found = [ids[:room] for ids in found]
        return [[*prefix, *ids, *suffix] for ids in found] if prefix or suffix else found

    @abstractmethod
    def encode_plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, nothing added before or after."""

    @abstractmethod
    def piece(self, token: int, is_first: bool = False) -> bytes | None:
        """What a token adds to a text, None for an id that is no token; `is_first`: nothing stands
        before it."""

    @abstractmethod
    def token(self, token: int) -> str:
        """A token as the vocabulary writes it. ExecutionFault MODEL_INPUT for an unknown id."""

    @abstractmethod
    def find(self, token: str) -> int | None:
        """The id of a token, as the vocabulary writes it."""

    def decode(self, ids: Iterable[int], skip_special: bool = True) -> str:
        """The text of token ids."""
        stream = self.stream(skip_special)
        pieces = [stream.bytes_of(int(i)) for i in ids]
        return b"".join(pieces).decode("utf-8", "replace")

    def stream(self, skip_special: bool = True) -> Stream:
        """A decoder for tokens that come one at a time."""
        return Stream(self, skip_special)

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> str:
        """The prompt of a conversation, by the model's own chat template; encode it with
        add_special=False. ExecutionFault MODEL_INPUT if there is no template or it fails."""
        from hartonomous.hql.models.chat import render

        if self.chat_template is None:
            raise model_input(
                "the model has no chat template", hint="give GENERATE a prompt, not messages"
            )
        special = {
            f"{name}_token": self.token(i)
            for name, i in (
                ("bos", self.begin),
                ("eos", self.end),
                ("unk", self.special.unknown),
                ("pad", self.special.padding),
            )
            if i is not None
        }
        return render(
            self.chat_template,
            {
                **special,
                **variables,
                "messages": messages,
                "add_generation_prompt": add_generation_prompt,
            },
        )


class Stream:
    """Tokens in, text out as soon as it is certain; never half a character."""

    def __init__(self, tokenizer: Tokenizer, skip_special: bool) -> None:
        self._tokenizer = tokenizer
        self._hidden = tokenizer.special.hidden if skip_special else frozenset()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_first = True

    def bytes_of(self, token: int) -> bytes:
        """The bytes that the next token adds to those before it."""
        if token in self._hidden:
            return b""
        found = self._tokenizer.piece(token, self._is_first)
        if found is None:
            return b""
        self._is_first = False
        return found

    def push(self, token: int) -> str:
        """The text that is certain now and was not before; often "" inside a character."""
        return self._decoder.decode(self.bytes_of(token))

    def finish(self) -> str:
        """What was held back: nothing, or U+FFFD for a character that never ended."""
        return self._decoder.decode(b"", True)


def model_input(message: str, hint: str | None = None) -> ExecutionFault:
    """The error of a text, tokens or messages that a model's tokenizer or template refuses."""
    return ExecutionFault(message, code="MODEL_INPUT", hint=hint)
