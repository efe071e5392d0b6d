"""A ledger that is in use: its file, what was verified of it, and the one way to write.

Rows that were verified are not verified again unless the file was changed by somebody else; then
their digests are. So an entry costs the same in a long ledger as in a short one.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from privacy.errors import LedgerBroken
from privacy.keys import PublicKey, SigningKey
from privacy.ledger_book import Book
from privacy.ledger_entries import LedgerEntry, Row, seal
from privacy.ledger_file import append, naming, read_rows, select_rows, transaction

__all__ = ["LedgerStore", "Page", "read_book"]


class Page:
    """Entries to be written together, sealed one after the other.

    Args:
        book: what they follow.
        key: the site's key.
    """

    def __init__(self, book: Book, key: SigningKey) -> None:
        self.rows: list[Row] = []
        self._position, self._previous, self._key = len(book), book.head, key

    def add(self, entry: LedgerEntry) -> None:
        """Seal an entry behind those before it."""
        self._position += 1
        row = seal(entry, position=self._position, previous=self._previous, key=self._key)
        self._previous = row[-2]
        self.rows.append(row)


class LedgerStore:
    """One ledger, read and written by any number of threads and processes.

    Args:
        path: the file.
        book: its verified content.
        key: the site's key; without it nothing can be written.
    """

    def __init__(self, path: Path, book: Book, key: SigningKey | None) -> None:
        self.path = path
        self._book = book
        self._key = key
        self._stamp = _Stamp()
        self._lock = threading.Lock()

    @property
    def key(self) -> SigningKey:
        """The site's key.

        Raises:
            ValueError: if the ledger was opened without it.
        """
        if self._key is None:
            raise ValueError("the ledger was opened to be read; open it with the site's key")
        return self._key

    def read(self) -> Book:
        """Return the content as it is on disk now."""
        with self._lock, naming(self.path):
            stamp = _stamp(self.path)
            if stamp != self._stamp or stamp == _Stamp():
                self._take_over(read_rows(self.path))
            else:
                self._extend(read_rows(self.path, after=len(self._book) - 1))
            self._stamp = stamp
            return self._book

    @contextmanager
    def write(self) -> Iterator[tuple[Book, Page]]:
        """Hold the ledger alone; yield it up to date, and a page that is appended in the end.

        Nothing is written if an exception leaves the block.
        """
        key = self.key
        with self._lock, transaction(self.path) as connection:
            stamp, known = _stamp(self.path, ignore_log=True), self._stamp
            self._stamp = _Stamp()
            if stamp == known:
                self._extend(select_rows(connection, after=len(self._book) - 1))
            else:
                self._take_over(select_rows(connection))
            page = Page(self._book, key)
            yield self._book, page
            append(connection, page.rows)
        with self._lock:
            self._stamp = _stamp(self.path)

    def _take_over(self, rows: Sequence[Row]) -> None:
        """Check that everything verified before is unchanged, and verify what is new."""
        known = len(self._book)
        self._book.check_same(rows[:known])
        self._book.extend(rows[known:])

    def _extend(self, rows: Sequence[Row]) -> None:
        """Verify what is new; the first row is the last one that was verified before."""
        if not rows or rows[0][-2] != self._book.head:
            raise LedgerBroken("its last entry is not there any more")
        self._book.extend(rows[1:])


def read_book(path: Path, *, public_key: PublicKey | None = None) -> Book:
    """Read and verify a ledger; nothing is written.

    Raises:
        LedgerBroken: if it was altered or was signed with another key.
        ValueError: if the file is missing or is not a ledger.
    """
    with naming(path):
        return Book(read_rows(path), public_key=public_key)


@dataclass(frozen=True)
class _Stamp:
    """What a file system says of a file; it changes when somebody writes."""

    inode: int = -1
    size: int = -1
    modified: int = -1


def _stamp(path: Path, *, ignore_log: bool = False) -> _Stamp:
    """Return the stamp of a ledger; that of nothing while others may be writing."""
    if not ignore_log and path.with_name(path.name + "-wal").exists():
        return _Stamp()
    try:
        found = path.stat()
    except FileNotFoundError:
        return _Stamp()
    return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns)
