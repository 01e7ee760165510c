"""What tests compare of an error."""

from __future__ import annotations


def text_of(error: object) -> str:
    """The message of an error, and its hint after a semicolon if it has one."""
    hint = getattr(error, "hint", None)
    return f"{error}; {hint}" if hint else str(error)


def joined(output: bytes | str) -> str:
    """What a command printed, each hint on the line of its message, after a semicolon."""
    text = output.decode() if isinstance(output, bytes) else output
    return text.replace("\n  hint: ", "; ").replace("\nhint: ", "; ")


def printed(text: str, *, kind: str = "error") -> str:
    """What a command prints for an error whose `text_of` is this."""
    message, semicolon, hint = text.rpartition("; ")
    return f"{kind}: {message}\nhint: {hint}\n" if semicolon else f"{kind}: {text}\n"
