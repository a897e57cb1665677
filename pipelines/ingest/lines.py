"""Numbered lines of a file of unknown quality, in blocks, without a Python object a line."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, overload

import numpy as np
import pyarrow as pa

from pipelines.ingest import files

BLOCK_BYTES: Final = 32 << 20
"""Of text handed on at once: large enough for DuckDB to use its threads, small enough to bound memory."""
MAX_LINE_BYTES: Final = 16 << 20
"""A longer line is no event but a damaged file; it is quarantined by its beginning, so that memory stays bounded."""
KEPT_OF_A_LONG_LINE: Final = 1024
BOM: Final = b"\xef\xbb\xbf"
NEWLINE: Final = 10
STEP: Final = 8192  # lines that become Python strings at once


class Lines(Sequence[str]):
    """Lines in one buffer; Python strings only for those that are looked at."""

    def __init__(self, array: pa.LargeStringArray) -> None:
        self.array = array

    @classmethod
    def of(cls, content: bytes) -> "Lines":
        """Cuts ``content``, which need not be valid UTF-8, at its line ends."""
        ends = _ends(content)
        joined = content.replace(b"\n", b"") if len(ends) else content
        offsets = np.zeros(len(ends) + 2, np.int64)
        offsets[1:-1] = ends - np.arange(len(ends))
        offsets[-1] = len(joined)
        return cls(pa.LargeStringArray.from_buffers(len(ends) + 1, pa.py_buffer(offsets), pa.py_buffer(joined)))

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self.array), STEP):
            yield from self.array.slice(start, STEP).to_pylist()

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return list(self.array[position].to_pylist())
        return str(self.array[position].as_py())

    def damaged(self) -> list[int]:
        """Returns the positions of the lines that are no UTF-8."""
        found, waiting = [], [(0, len(self.array))]
        while waiting:
            start, length = waiting.pop()
            if _is_text(self.array.slice(start, length)):
                continue
            if length == 1:
                found.append(start)
            else:
                waiting += [(start, length // 2), (start + length // 2, length - length // 2)]
        return sorted(found)


@dataclass
class Block:
    """Consecutive lines without their line ends; ``problems`` says by position why a line cannot be text."""

    first_line: int  # 1-based
    texts: Sequence[str]
    problems: dict[int, str] = field(default_factory=dict)

    @property
    def last_line(self) -> int:
        return self.first_line + len(self.texts) - 1

    def table(self) -> pa.Table:
        """Returns the lines as (line, text, problem)."""
        numbers = np.arange(self.first_line, self.first_line + len(self.texts), dtype=np.int64)
        problems = pa.nulls(len(self.texts), pa.string())
        if self.problems:
            named = np.full(len(self.texts), None, object)
            named[list(self.problems)] = list(self.problems.values())
            problems = pa.array(named, pa.string())
        texts = self.texts.array if isinstance(self.texts, Lines) else pa.array(self.texts, pa.large_string())
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
    """Cuts lines; ``is_long`` says that the first is the beginning of a line that was too long."""
    if BOM[:1] in content:  # looking for one byte costs a tenth
        content = content.removeprefix(BOM).replace(b"\n" + BOM, b"\n")  # not at the start only: files get joined
    texts = Lines.of(content)
    problems = dict.fromkeys(texts.damaged(), "bad_encoding")
    too_long = [0] if is_long else []
    if len(content) > MAX_LINE_BYTES:
        too_long += np.flatnonzero(
            np.diff(_ends(content), prepend=-1, append=len(content)) > MAX_LINE_BYTES + 1
        ).tolist()
    if problems or too_long:
        content = _mended(content, problems, too_long)
        texts = Lines.of(content)
        problems |= dict.fromkeys(too_long, "line_too_long")
    if b"\0" in content:
        nuls = np.flatnonzero(np.frombuffer(content, np.uint8) == 0)
        problems |= dict.fromkeys(np.unique(np.searchsorted(_ends(content), nuls)).tolist(), "nul_byte")
    return Block(number, texts, problems)


def _mended(content: bytes, damaged: Iterable[int], too_long: Collection[int]) -> bytes:
    """Returns ``content`` as UTF-8, with U+FFFD for what is not, and with the beginning only of lines too long."""
    ends = [*_ends(content), len(content)]
    whole, done = memoryview(content), 0
    pieces: list[bytes | memoryview] = []
    for position in sorted({*damaged, *too_long}):
        start, end = (int(ends[position - 1]) + 1 if position else 0), int(ends[position])
        text = _decoded(content[start:end])
        pieces += [whole[done:start], (text[:KEPT_OF_A_LONG_LINE] if position in too_long else text).encode()]
        done = end
    return b"".join([*pieces, whole[done:]])


def _ends(content: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Returns where the line ends are."""
    return np.flatnonzero(np.frombuffer(content, np.uint8) == NEWLINE)


def _is_text(array: pa.LargeStringArray) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")
