"""File names as text for people: printable, on one line, and different for different names."""

from pathlib import Path

FIRST_ESCAPED_BYTE, LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF
"""Python has a byte of a file name that is not UTF-8 as one of these characters, 0xDC00 above the byte (PEP 383)."""


def shown_name(name: str | Path) -> str:
    r"""A file name as `printable` text. A backslash is doubled, so that no two names are shown alike."""
    return printable(str(name).replace("\\", "\\\\"))


def printable(text: str) -> str:
    r"""Text as one printable line: a line break as `\n`, a byte that is not UTF-8 as `\xe9`, others as `\u202e`."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    code = ord(character)
    if character.isprintable():
        return character
    if FIRST_ESCAPED_BYTE <= code <= LAST_ESCAPED_BYTE:
        return f"\\x{code - 0xDC00:02x}"
    return repr(character)[1:-1] if code < 0x80 or code > 0xFF else f"\\u{code:04x}"
