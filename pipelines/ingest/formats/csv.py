"""Delimited text with a header: quoted fields may hold delimiters and line ends; broken rows cost themselves only."""

import csv
from collections.abc import Iterator
from operator import methodcaller
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import SourceError
from pipelines.ingest import lines
from pipelines.ingest.files import SourceFile
from pipelines.ingest.formats.rows import STRUCTURE, RawRows, first_of, identifier, names_of, required_columns
from pipelines.params import Source

FULL_STEP: Final = 8192  # lines parsed at once
MAX_RECORD_LINES: Final = 1000
"""A record that goes on for longer began with a quote that nobody closed."""
MAPPED: Final = "mapped "  # before the names of the file's own columns, one of which may be `line` or `text`
END: Final = "\x1eend\n"  # a line no CSV holds; it comes back as a row of its own unless a quote is open


class Records:
    """The records of a file as (lines, rows), and its broken lines, from blocks of lines."""

    def __init__(self, delimiter: str) -> None:
        csv.field_size_limit(lines.MAX_LINE_BYTES)
        self._delimiter = delimiter
        self._waiting: list[str] = []
        self._number = 1  # of the first waiting line
        self._step = FULL_STEP
        self.width: int | None = None

    def add(self, block: lines.Block, is_last: bool) -> tuple[list[int], list[list[str]], list[tuple[int, str, str]]]:
        """Returns the complete records: first line numbers, rows of ``width`` fields, (line, problem, text) of others.

        A line that is no text is a problem of its own; the parser sees a blank line in its place.
        """
        texts = block.texts
        broken = [
            (block.first_line + position, why, texts[position]) for position, why in sorted(block.problems.items())
        ]
        if block.problems:
            texts = ["" if position in block.problems else text for position, text in enumerate(texts)]
        self._waiting += [text + "\n" for text in texts]
        numbers: list[int] = []
        rows: list[list[str]] = []
        while self._waiting and self._advance(numbers, rows, broken, is_last):
            pass
        return numbers, rows, broken

    def _advance(
        self, numbers: list[int], rows: list[list[str]], broken: list[tuple[int, str, str]], is_last: bool
    ) -> bool:
        """Parses the next lines; returns False when more lines are needed first."""
        window = self._waiting[: self._step]
        try:
            found = list(csv.reader([*window, END], delimiter=self._delimiter))
        except csv.Error:
            if len(window) == 1:
                self._reject_line("malformed_csv", broken)
            self._step = max(1, len(window) // 8)
            return True
        is_open = found.pop() != [END.rstrip("\n")]
        heights = _heights(found, len(window) - is_open)
        n_sound = self._sound(found, heights)
        self._keep(found[:n_sound], heights[:n_sound], numbers, rows, broken)
        if n_sound < len(found):
            self._reject_line("unterminated_quote", broken)
        elif is_open:
            n_open = len(window) - sum(heights)
            if n_open < len(self._waiting) and n_open < MAX_RECORD_LINES:
                self._step = max(self._step, 2 * n_open)
                return True
            if not is_last and n_open < MAX_RECORD_LINES:
                return False
            self._reject_line("unterminated_quote", broken)
        else:
            self._step = min(FULL_STEP, 2 * self._step)
        return True

    def _sound(self, found: list[list[str]], heights: list[int]) -> int:
        """Returns how many rows come before one of several lines that nobody meant: a stray quote began it."""
        if len(heights) == sum(heights):
            return len(found)
        width, start = self.width or len(found[0]), 0
        for position, (row, height) in enumerate(zip(found, heights, strict=True)):
            if height > 1 and (len(row) != width or not self._is_strict(self._waiting[start : start + height])):
                return position
            start += height
        return len(found)

    def _is_strict(self, record: list[str]) -> bool:
        """Whether the closing quote of every field ends it, as it need not for the lenient reader."""
        try:
            return len(list(csv.reader(record, delimiter=self._delimiter, strict=True))) == 1
        except csv.Error:
            return False

    def _keep(
        self,
        found: list[list[str]],
        heights: list[int],
        numbers: list[int],
        rows: list[list[str]],
        broken: list[tuple[int, str, str]],
    ) -> None:
        starts = _starts(self._number, heights)
        if self.width is None and found:
            self.width = len(next((row for row in found if row), []))
        widths = list(map(len, found))
        if widths.count(self.width or 0) == len(found):
            numbers += starts
            rows += found
        else:
            for start, row in zip(starts, found, strict=True):
                if len(row) == self.width:
                    numbers.append(start)
                    rows.append(row)
                elif any(map(str.strip, row)):
                    broken.append((start, "wrong_number_of_columns", self._delimiter.join(row)))
        self._skip(sum(heights))

    def _reject_line(self, problem: str, broken: list[tuple[int, str, str]]) -> None:
        broken.append((self._number, problem, self._waiting[0]))
        self._skip(1)
        self._step = 64  # what is parsed beyond the next broken line is parsed twice

    def _skip(self, n_lines: int) -> None:
        del self._waiting[:n_lines]
        self._number += n_lines


def read(file: SourceFile, source: Source) -> Iterator[RawRows]:
    """Yields the file's rows.

    Raises:
        SourceError: the header lacks the column of the visitor or of the time, or names one twice.
    """
    records = Records(source.delimiter or ",")
    header: list[str] | None = None
    for block, is_last in _with_last(lines.blocks(file.path)):
        numbers, rows, broken = records.add(block, is_last)
        if header is None and rows:
            header = names_of(rows.pop(0))
            numbers.pop(0)
        yield _raw_rows(file, source, header or [], numbers, rows, broken)


def _raw_rows(
    file: SourceFile,
    source: Source,
    header: list[str],
    numbers: list[int],
    rows: list[list[str]],
    broken: list[tuple[int, str, str]],
) -> RawRows:
    mapping = source.alternatives
    missing = required_columns(file, mapping, header) if header else ()
    read_columns = {column for columns in mapping.values() for column in columns}
    if twice := sorted(column for column in read_columns if header.count(column) > 1):
        raise SourceError(f"{file.name}: the header names {', '.join(twice)} more than once: rename one")
    wanted = {f"{MAPPED}{column}": header.index(column) for column in sorted(read_columns & {*header})}
    origins = {
        name: {column: identifier(f"{MAPPED}{column}") for column in columns if column in header}
        for name, columns in mapping.items()
        if {*columns} & {*header}
    }
    values = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    sound = {
        "line": pa.array(numbers, pa.int64()),
        "problem": pa.nulls(len(rows), pa.string()),
        "text": pa.nulls(len(rows), pa.string()),
    }
    sound |= {
        name: pc.utf8_trim_whitespace(pa.array(values[position], pa.string())) for name, position in wanted.items()
    }
    others = {
        "line": [line for line, _, _ in broken],
        "problem": [why for _, why, _ in broken],
        "text": [text for _, _, text in broken],
    }
    schema = pa.schema({name: pa.int64() if name == "line" else pa.string() for name in sound})
    absent = {name: pa.nulls(len(broken), pa.string()) for name in wanted}
    table = pa.concat_tables([pa.table(sound, schema), pa.table({**others, **absent}, schema)])
    return RawRows(
        rows=table,
        fields={name: first_of(found.values()) for name, found in origins.items()},
        excerpt=STRUCTURE.format(text="text"),
        missing=missing,
        mapping=mapping,
        origins=origins,
        columns=tuple(header),
    )


def _with_last(blocks: Iterator[lines.Block]) -> Iterator[tuple[lines.Block, bool]]:
    """Yields every block and whether it is the last."""
    before = next(blocks, None)
    for block in blocks:
        if before is not None:
            yield before, False
        before = block
    if before is not None:
        yield before, True


def _heights(rows: list[list[str]], n_lines: int) -> list[int]:
    """Returns the number of lines of each row; ``n_lines`` is what they have when each has one."""
    if len(rows) == n_lines:
        return [1] * len(rows)
    breaks = methodcaller("count", "\n")
    return [1 + sum(map(breaks, row)) for row in rows]


def _starts(first: int, heights: list[int]) -> list[int]:
    starts = []
    for height in heights:
        starts.append(first)
        first += height
    return starts
