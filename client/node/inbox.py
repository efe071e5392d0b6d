"""The question a site is working on, kept on its disk until the answer is delivered.

A coordinator's server hands a message out once. A node that was killed over it would come back and
wait for a question that never comes again, so it keeps the question, and answers it after all.
"""

from __future__ import annotations

from pathlib import Path

from flwr.proto.fleet_pb2 import PullMessagesResponse

from strategies.parcels import BROKEN
from synthesis.durable_file import replace_file

QUESTION_FILE = "state/question"
MOST_ATTEMPTS = 3
_LENGTH = 8


class Inbox:
    """The one question in work.

    Args:
        folder: of the site.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / QUESTION_FILE

    def keep(self, pulled: PullMessagesResponse, parts: dict[str, bytes], attempts: int) -> None:
        """Write the question down, with how often it was begun."""
        envelope = pulled.SerializeToString(deterministic=True)
        blocks = [bytes([attempts]), envelope, *parts.values()]
        sized = (len(block).to_bytes(_LENGTH, "big") + block for block in blocks)
        replace_file(self._path, b"".join(sized))

    def load(self) -> tuple[PullMessagesResponse, list[bytes], int] | None:
        """Return announcement, parts and attempts of a question that was not finished."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            blocks, at = [], 0
            while at < len(content):
                start = at + _LENGTH
                at = start + int.from_bytes(content[at:start], "big")
                blocks.append(content[start:at])
            attempts, envelope, *parts = blocks
            return PullMessagesResponse.FromString(envelope), parts, attempts[0]
        except BROKEN:
            self.clear()
            return None

    def clear(self) -> None:
        """Forget the question, which is answered or void."""
        self._path.unlink(missing_ok=True)
