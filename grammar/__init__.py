"""The language as text: LALR grammar fragments, and the parser made from them."""
