"""Numbered lines of a file of unknown quality, in blocks, without a Python object a line."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingest import files

BLOCK_BYTES: Final = 32 << 20
"""Of text handed on at once: large enough for DuckDB to use its threads, small enough to bound memory."""
MAX_LINE_BYTES: Final = 16 << 20
"""A longer line is no event but a damaged file; it is quarantined by its beginning, so that memory stays bounded."""
KEPT_OF_A_LONG_LINE: Final = 1024
BOM: Final = b"\xef\xbb\xbf"
NEWLINE: Final = 10
STEP: Final = 8192  # lines that become Python strings at once
WINDOW: Final = 1 << 18  # bytes that are searched for line ends at once

Ends = np.ndarray[tuple[int], np.dtype[np.int64]]


class Lines(Sequence[str]):
    """Lines in one buffer; Python strings only for those that are looked at."""

    def __init__(self, array: pa.LargeStringArray) -> None:
        self.array = array

    @classmethod
    def of(cls, content: bytes, ends: Ends) -> "Lines":
        """Cuts ``content``, which need not be valid UTF-8, at its line ends, which lie at ``ends``."""
        joined = content.replace(b"\n", b"")
        return cls(_array(joined, ends - np.arange(len(ends)), len(joined)))

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
            positions = sorted(self.problems)
            is_bad = np.zeros(len(self.texts), np.bool_)
            is_bad[positions] = True
            problems = pc.replace_with_mask(problems, is_bad, pa.array([self.problems[i] for i in positions]))
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
            end = piece.rfind(b"\n")
            if end < 0:
                pending, is_long = _grown(pending, piece, is_long)
                continue
            block = _block(number, pending + piece[: end + 1], is_long)
            yield block
            number += len(block.texts)
            pending, is_long = _grown(b"", piece[end + 1 :], False)
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
    """Cuts lines, the last with or without its end; ``is_long``: the first is what is kept of one that was too long."""
    if BOM[:1] in content:  # looking for one byte costs a tenth
        content = content.removeprefix(BOM).replace(b"\n" + BOM, b"\n")  # not at the start only: files get joined
    ends = _ends(content)
    problems = dict.fromkeys(_damaged(content, ends), "bad_encoding")
    too_long = [0] if is_long else []
    if len(content) > MAX_LINE_BYTES:
        lengths = np.diff(ends, prepend=-1, append=_length(content)) - 1
        too_long += np.flatnonzero(lengths > MAX_LINE_BYTES).tolist()
    if problems or too_long:
        content = _mended(content, ends, problems, too_long)
        ends = _ends(content)
        problems |= dict.fromkeys(too_long, "line_too_long")
    if b"\0" in content:
        nuls = np.flatnonzero(np.frombuffer(content, np.uint8) == 0)
        problems |= dict.fromkeys(np.unique(np.searchsorted(ends, nuls)).tolist(), "nul_byte")
    return Block(number, Lines.of(content, ends), problems)


def _damaged(content: bytes, ends: Ends) -> list[int]:
    """Returns the positions of the lines that are no UTF-8."""
    whole = _array(content, ends + 1, len(content))  # with the line ends, which change nothing and need no copy
    found, waiting = [], [(0, len(whole))]
    while waiting:
        start, length = waiting.pop()
        if _is_text(whole.slice(start, length)):
            continue
        if length == 1:
            found.append(start)
        else:
            waiting += [(start, length // 2), (start + length // 2, length - length // 2)]
    return sorted(found)


def _mended(content: bytes, ends: Ends, damaged: Iterable[int], too_long: Collection[int]) -> bytes:
    """Returns ``content`` as UTF-8, with U+FFFD for what is not, and with the beginning only of lines too long."""
    whole, done = memoryview(content), 0
    pieces: list[bytes | memoryview] = []
    for position in sorted({*damaged, *too_long}):
        start = int(ends[position - 1]) + 1 if position else 0
        end = int(ends[position]) if position < len(ends) else len(content)
        text = _decoded(content[start:end])
        pieces += [whole[done:start], (text[:KEPT_OF_A_LONG_LINE] if position in too_long else text).encode()]
        done = end
    return b"".join([*pieces, whole[done:]])


def _ends(content: bytes) -> Ends:
    """Returns where the line ends are, but for one at the end: it begins no line."""
    signs = np.frombuffer(content, np.uint8)[: _length(content)]
    # A window at a time, which stays in the cache; what has to be made for all of it at once is dearer.
    windows = [np.flatnonzero(signs[at : at + WINDOW] == NEWLINE) + at for at in range(0, len(signs), WINDOW)]
    return np.concatenate(windows) if windows else np.zeros(0, np.int64)


def _length(content: bytes) -> int:
    return len(content) - content.endswith(b"\n")


def _array(content: bytes, starts: Ends, end: int) -> pa.LargeStringArray:
    """Returns the strings of ``content`` that begin at 0 and at ``starts`` and end at the next one."""
    offsets = np.zeros(len(starts) + 2, np.int64)
    offsets[1:-1], offsets[-1] = starts, end
    return pa.LargeStringArray.from_buffers(len(starts) + 1, pa.py_buffer(offsets), pa.py_buffer(content))


def _is_text(array: pa.LargeStringArray) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")
