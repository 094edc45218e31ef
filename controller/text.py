"""Text from outside, made safe to show to people."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""The text with what a terminal would obey instead of show written out: `\x1b`, `\n`.

    Names and messages come from outside; none may move the cursor or forge a line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
