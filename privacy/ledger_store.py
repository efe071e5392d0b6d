"""A ledger that is in use: its file, what was verified of it, and the one way to write.

Decisions rest on what was verified and is kept in memory, never on old rows read again. Whether the
stored rows are still the same is looked at whenever the file system says that somebody else wrote.
So an entry costs the same in a long ledger as in a short one. A file system's clock may be too
coarse to tell a write from one just before it; then such a change is found the next time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from privacy.keys import PublicKey, SigningKey
from privacy.ledger_book import Book
from privacy.ledger_entries import LedgerEntry, Row, seal
from privacy.ledger_file import append, has_log, naming, read_rows, select_rows, transaction

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

    Attributes:
        lock: held by the thread that reads or writes; hold it to keep a book as it was read.
    """

    def __init__(self, path: Path, book: Book, key: SigningKey | None) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._book = book
        self._key = key
        self._stamp: _Stamp | None = None

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
        with self.lock, naming(self.path):
            stamp = _stamp(self.path)
            start = self._first_to_check(stamp)
            self._book.extend_from(start, read_rows(self.path, after=start))
            self._stamp = stamp
            return self._book

    @contextmanager
    def write(self) -> Iterator[tuple[Book, Page]]:
        """Hold the ledger alone; yield it up to date, and a page that is appended in the end.

        Nothing is written if an exception leaves the block.
        """
        key = self.key
        with self.lock:
            with transaction(self.path) as connection:
                start = self._first_to_check(_stamp(self.path))
                self._stamp = None
                self._book.extend_from(start, select_rows(connection, after=start))
                page = Page(self._book, key)
                yield self._book, page
                append(connection, page.rows)
            self._stamp = _stamp(self.path)

    def _first_to_check(self, stamp: _Stamp | None) -> int:
        """Return how many rows need not be read again: all but the last if nobody else wrote."""
        is_untouched = stamp is not None and stamp == self._stamp
        return len(self._book) - 1 if is_untouched else 0


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
    """What a file system says of a file; it changes when somebody writes.

    `changed` is the time of the last change of any kind, which cannot be set back as `modified`
    can.
    """

    inode: int
    size: int
    modified: int
    changed: int


def _stamp(path: Path) -> _Stamp | None:
    """Return the stamp of a ledger; none while rows may lie in the log beside it."""
    if has_log(path):
        return None
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
