"""The files that a delivery of Adobe's data feed brings beside its parts: the names of columns and of codes."""

import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from pipelines.errors import SourceError
from pipelines.ingest.files import SourceFile

HEADERS: Final = "column_headers.tsv"
LOOKUPS: Final = (
    "column_headers browser browser_type color_depth connection_type country event javascript_version languages "
    "operating_systems plugins referrer_type resolution search_engines"
)
OTHERS: Final = (".tar.gz", ".tgz", ".tar", ".zip", ".txt", ".md5", ".fin")
"""Archives, manifests, checksums and the mark of a finished delivery."""
VARIABLE: Final = re.compile(r"(?:post_)?(?:evar|prop)[0-9]+|(?:post_)?product_list|visit_num")
PURCHASE: Final = "1"
YES: Final = ("1", "Y")


@dataclass(frozen=True)
class Lookups:
    """Names by code.

    Attributes:
        columns: of a part, in their order.
    """

    columns: tuple[str, ...]
    events: Mapping[str, str]
    browsers: Mapping[str, str]
    systems: Mapping[str, str]

    def counted(self, events: str | None, twice: str | None, is_twice: str | None) -> tuple[list[str], bool]:
        """Returns the names of a hit's ``events`` that count, and whether a purchase is among them.

        Args:
            events: codes, each perhaps with `=value` and `:serial number`, between commas.
            twice: those of them that were counted before.
            is_twice: whether the purchase was.
        """
        dropped = {*(twice or "").split(",")} | ({PURCHASE} if is_twice in YES else set())
        codes = [re.split("[=:]", code, maxsplit=1)[0] for code in (events or "").split(",") if code]
        codes = [code for code in dict.fromkeys(codes) if code not in dropped]
        return [self.events.get(code, code) for code in codes], PURCHASE in codes

    def browser(self, code: str | None) -> str | None:
        return None if code is None else self.browsers.get(code, code)

    def system(self, code: str | None) -> str | None:
        return None if code is None else self.systems.get(code, code)


def is_no_part(path: Path) -> bool:
    """Whether ``path`` holds no hits but comes with them, by its name."""
    return path.name.endswith(OTHERS) or path.name.split(".")[0] in LOOKUPS.split()


def is_variable(column: str) -> bool:
    """Whether ``column`` holds what a company measures for itself, its products, or the number of the visit."""
    return VARIABLE.fullmatch(column) is not None


def find(file: SourceFile) -> Lookups:
    """Returns the lookups of the part ``file``.

    Raises:
        SourceError: none of the places holds ``column_headers.tsv``.
    """
    return _read(file.path.parent, file.name)


@lru_cache(maxsize=4)
def _read(folder: Path, name: str) -> Lookups:
    for texts in _candidates(folder):
        if HEADERS in texts:
            columns = texts[HEADERS].split("\n")[0].rstrip("\r").split("\t")
            codes = [_codes(texts.get(f"{kind}.tsv", "")) for kind in ("event", "browser", "operating_systems")]
            return Lookups(tuple(columns), *codes)
    raise SourceError(
        f"{name}: no {HEADERS} beside it, in a folder beside it, or in a *lookup_data.tar.gz beside it: bring the "
        "lookups of the delivery there"
    )


def _candidates(folder: Path) -> Iterator[dict[str, str]]:
    wanted = (HEADERS, "event.tsv", "browser.tsv", "operating_systems.tsv")
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        yield {name: _text((place / name).read_bytes()) for name in wanted if (place / name).is_file()}
    for path in sorted(folder.glob("*lookup_data.tar.gz")):
        yield _unpacked(path, wanted)


def _unpacked(path: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive.getmembers() if member.isfile()}
            found = {name: archive.extractfile(members[name]) for name in wanted if name in members}
            return {name: _text(stream.read()) for name, stream in found.items() if stream}
    except (tarfile.TarError, EOFError, OSError):
        raise SourceError(f"{path.name} cannot be read as a tar archive: bring it again, or unpack it") from None


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def _codes(text: str) -> dict[str, str]:
    pairs = (line.rstrip("\r").split("\t") for line in text.split("\n"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) > 1 and pair[1]}
