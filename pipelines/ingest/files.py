"""Which files a source names, and their bytes: plain, gzip or zip, kept up to the cut when an archive is damaged."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from zipfile import BadZipFile, ZipFile

from pipelines.errors import SourceError

CHUNK_BYTES: Final = 1 << 20
MOST_INFLATED: Final = 8 << 20  # bytes at once: a few compressed ones can stand for a thousand times as many
GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
ZIP_HEADER_BYTES: Final = 30  # of a member's local header, before its name; APPNOTE.TXT 4.3.7
DEFLATED: Final = 8


class TruncatedError(Exception):
    """An archive ends, or turns to garbage, before its own end; what came before was yielded."""


@dataclass(frozen=True)
class SourceFile:
    """One file of one source, and where it stands among all of them."""

    path: Path
    name: str  # as reports show it: relative to the root, or to the folder that the source names
    source: int
    index: int
    lines_before: int = 0  # in the files of this format that were read before


def find(root: Path, pattern: str) -> list[tuple[Path, str]]:
    """Returns the files that ``pattern`` (file, folder or glob, absolute or under ``root``) matches, by name.

    Raises:
        SourceError: nothing matches.
    """
    anchor, rest = _anchor(root / pattern)
    if rest:
        matches = [path for path in anchor.glob(rest) if path.is_file()] if anchor.is_dir() else []
    else:
        matches = [path for path in anchor.rglob("*") if path.is_file()] if anchor.is_dir() else [anchor]
    shown = root if anchor.is_relative_to(root) else anchor if anchor.is_dir() else anchor.parent
    named = sorted(
        (path.relative_to(shown).as_posix(), path) for path in matches if path.is_file() and not _hidden(path, anchor)
    )
    if not named:
        raise SourceError(
            f"ingest.sources: `{pattern}` matches no file (relative paths start at the folder of params.yaml): "
            "correct the path, or bring the data there"
        )
    return [(path, name) for name, path in named]


def chunks(path: Path) -> Iterator[bytes]:
    """Yields the bytes of ``path``, decompressed where its first bytes say gzip or zip.

    Raises:
        SourceError: the file cannot be opened, or is a zip archive of several files.
        TruncatedError: after the last byte before the cut.
    """
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
            stream.seek(0)
            if magic[:2] == GZIP_MAGIC or (path.suffix == ".gz" and GZIP_MAGIC.startswith(magic)):
                yield from _inflated(stream, wbits=31)
            elif magic == ZIP_MAGIC:
                yield from _unzipped(path, stream)
            else:
                while chunk := stream.read(CHUNK_BYTES):
                    yield chunk
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read ({error.strerror}): check that it exists and its permissions"
        ) from None


def _anchor(path: Path) -> tuple[Path, str]:
    """Splits ``path`` before its first part with a wildcard."""
    parts = path.parts
    wild = next((i for i, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    if path.exists():
        wild = len(parts)
    return Path(*parts[:wild]), "/".join(parts[wild:])


def _hidden(path: Path, anchor: Path) -> bool:
    """Whether ``path`` is a marker (.DS_Store, _SUCCESS) rather than data; what the user named himself never is."""
    return any(part.startswith((".", "_")) for part in path.relative_to(anchor).parts)


def _inflated(stream: BinaryIO, wbits: int) -> Iterator[bytes]:
    """Yields a deflated stream's content; of gzip (31), all members that follow each other."""
    inflater, waiting = zlib.decompressobj(wbits), b""
    while True:
        waiting = waiting or stream.read(CHUNK_BYTES // 4)
        if not waiting and not inflater.eof:
            yield inflater.flush()  # what the last piece stood for beyond ``MOST_INFLATED``
            if not inflater.eof:
                raise TruncatedError
            return
        if inflater.eof:
            waiting = waiting.lstrip(b"\0")  # padding between or after members
            if waiting:
                inflater = zlib.decompressobj(wbits)
            elif not (waiting := stream.read(CHUNK_BYTES // 4)):
                return
            continue
        before = inflater.copy()
        try:
            yield inflater.decompress(waiting, MOST_INFLATED)
        except zlib.error:
            yield from _up_to_the_damage(before, waiting)
            raise TruncatedError from None
        waiting = inflater.unused_data or inflater.unconsumed_tail
        if inflater.eof and wbits < 0:
            return


def _up_to_the_damage(inflater: "zlib._Decompress", piece: bytes) -> Iterator[bytes]:
    try:
        for position in range(len(piece)):
            yield inflater.decompress(piece[position : position + 1])
    except zlib.error:
        return


def _unzipped(path: Path, stream: BinaryIO) -> Iterator[bytes]:
    try:
        with ZipFile(path) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and not member.filename.startswith(("__MACOSX/", "."))
            ]
            if len(members) != 1:
                raise SourceError(f"{path.name}: the zip archive holds {len(members)} files, expected one: unpack it")
            with archive.open(members[0]) as member:
                while chunk := member.read(CHUNK_BYTES):
                    yield chunk
    except (BadZipFile, EOFError, zlib.error):
        yield from _first_member(stream)


def _first_member(stream: BinaryIO) -> Iterator[bytes]:
    """Yields the content of a zip archive's first member without its directory, which a cut archive has lost."""
    header = stream.read(ZIP_HEADER_BYTES)
    if len(header) == ZIP_HEADER_BYTES and int.from_bytes(header[8:10], "little") == DEFLATED:
        stream.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        yield from _inflated(stream, wbits=-zlib.MAX_WBITS)
    raise TruncatedError
