"""Numbered lines of a file of unknown quality, in blocks, at the speed of ``bytes.split``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from pipelines.ingest import files

BLOCK_BYTES: Final = 32 << 20
"""Of text handed on at once: large enough for DuckDB to use its threads, small enough to bound memory."""
MAX_LINE_BYTES: Final = 16 << 20
"""A longer line is no event but a damaged file; it is quarantined by its beginning, so that memory stays bounded."""
KEPT_OF_A_LONG_LINE: Final = 1024
BOM: Final = b"\xef\xbb\xbf"


@dataclass
class Block:
    """Consecutive lines without their line ends; ``problems`` says by position why a line cannot be text."""

    first_line: int  # 1-based
    texts: list[str]
    problems: dict[int, str] = field(default_factory=dict)

    @property
    def last_line(self) -> int:
        return self.first_line + len(self.texts) - 1

    def table(self) -> pa.Table:
        """Returns the lines that are not blank as (line, text, problem)."""
        numbers = pa.array(range(self.first_line, self.first_line + len(self.texts)), pa.int64())
        problems = pa.nulls(len(self.texts), pa.string())
        if self.problems:
            problems = pa.array([self.problems.get(position) for position in range(len(self.texts))], pa.string())
        texts = pa.array(self.texts, pa.large_string())
        return pa.table({"line": numbers, "text": texts, "problem": problems})


def blocks(path: Path) -> Iterator[Block]:
    """Yields all lines of the file at ``path``; bad ones are named, none is lost.

    Problems: ``bad_encoding`` (no UTF-8), ``nul_byte``, ``line_too_long``, and ``truncated_file`` for one last line:
    the one in which a damaged archive breaks off.
    """
    number, pending, is_long = 1, b"", False
    try:
        for piece in _pieces(path):
            head, end, tail = piece.rpartition(b"\n")
            if not end:
                pending, is_long = _grown(pending, tail, is_long)
                continue
            block = _block(number, pending + head, is_long)
            yield block
            number += len(block.texts)
            pending, is_long = _grown(b"", tail, False)
    except files.TruncatedError:
        cut = _decoded(pending.removeprefix(BOM))
        yield Block(number, [cut], {0: "truncated_file"})
        return
    if pending:
        yield _block(number, pending, is_long)


def _pieces(path: Path) -> Iterator[bytes]:
    """Yields the file in pieces of about ``BLOCK_BYTES``, and what there is before it breaks off."""
    gathered: list[bytes] = []
    size = 0
    try:
        for chunk in files.chunks(path):
            gathered.append(chunk)
            size += len(chunk)
            if size >= BLOCK_BYTES:
                yield b"".join(gathered)
                gathered, size = [], 0
    except files.TruncatedError:
        yield b"".join(gathered)
        raise
    if gathered:
        yield b"".join(gathered)


def _grown(pending: bytes, tail: bytes, is_long: bool) -> tuple[bytes, bool]:
    """Returns the unfinished line with ``tail`` added, cut to its beginning once it is too long."""
    if is_long or len(pending) + len(tail) > MAX_LINE_BYTES:
        return (pending + tail)[:KEPT_OF_A_LONG_LINE], True
    return pending + tail, False


def _block(number: int, content: bytes, is_long: bool) -> Block:
    """Decodes lines; ``is_long`` says that the first is the beginning of a line that was too long."""
    problems: dict[int, str] = {}
    content = content.removeprefix(BOM).replace(b"\n" + BOM, b"\n")  # not at the start only: files get joined
    if is_long:
        beginning, end, rest = content.partition(b"\n")
        content = beginning[:KEPT_OF_A_LONG_LINE] + end + rest
        problems[0] = "line_too_long"
    try:
        texts = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raw = content.split(b"\n")
        texts = list(map(_decoded, raw))
        # A line that decodes to what it was is sound, also where it holds the replacement character itself.
        problems |= {
            i: "bad_encoding" for i, (line, text) in enumerate(zip(raw, texts, strict=True)) if text.encode() != line
        }
    if len(content) > MAX_LINE_BYTES:
        for position in (i for i, text in enumerate(texts) if len(text) > MAX_LINE_BYTES):
            texts[position] = texts[position][:KEPT_OF_A_LONG_LINE]
            problems[position] = "line_too_long"
    if b"\0" in content:
        problems |= {i: "nul_byte" for i, text in enumerate(texts) if "\0" in text}
    return Block(number, texts, problems)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")
