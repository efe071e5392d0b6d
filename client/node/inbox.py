"""The question a site is working on, kept on its disk until the answer is delivered.

A coordinator's server hands a message out once. A node that was killed over it would come back and
wait for a question that never comes again, so it keeps the question, and answers it after all. The
same server takes one reply to a message: what was announced of it must be finished under the same
name, or the coordinator waits minutes for parts that never come. So the reply is kept as well.
"""

from __future__ import annotations

from pathlib import Path

from flwr.app import Message
from flwr.proto.fleet_pb2 import PullMessagesResponse
from flwr.supercore.inflatable.inflatable_object import get_object_id

from strategies.parcels import BROKEN, Unusable, inflate_message, take_apart
from synthesis.durable_file import replace_file

QUESTION_FILE = "state/question"
REPLY_FILE = "state/reply"
MOST_ATTEMPTS = 3
_LENGTH = 8


class Inbox:
    """The one question in work.

    Args:
        folder: of the site.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / QUESTION_FILE
        self._reply_path = folder / REPLY_FILE

    def keep(self, pulled: PullMessagesResponse, parts: dict[str, bytes], attempts: int) -> None:
        """Write the question down, with how often it was begun."""
        envelope = pulled.SerializeToString(deterministic=True)
        replace_file(self._path, _join([bytes([min(attempts, 255)]), envelope, *parts.values()]))

    def load(self) -> tuple[PullMessagesResponse, list[bytes], int] | None:
        """Return announcement, parts and attempts of a question that was not finished."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            attempts, envelope, *parts = _split(content)
            return PullMessagesResponse.FromString(envelope), parts, attempts[0]
        except BROKEN:
            self.clear()
            return None

    def keep_reply(self, reply: Message) -> None:
        """Write down the reply to the question in work, before anything of it is sent.

        Raises:
            OSError: if there is no room; then it may be made anew under another name.
        """
        _, parts = take_apart(reply)
        root = reply.metadata.message_id
        replace_file(self._reply_path, _join([root.encode(), *parts.values()]))

    def find_reply(self, question: Message) -> Message | None:
        """Return the reply to this very question as it was kept, or None."""
        try:
            root, *contents = _split(self._reply_path.read_bytes())
            parts = {get_object_id(content): content for content in contents}
            reply = inflate_message(root.decode(), parts)
        except (FileNotFoundError, Unusable, *BROKEN):
            return None
        is_its_own = reply.metadata.reply_to_message_id == question.metadata.message_id
        return reply if is_its_own else None

    def clear(self) -> None:
        """Forget the question, which is answered or void, and what was to be its reply."""
        self._path.unlink(missing_ok=True)
        self._reply_path.unlink(missing_ok=True)


def _join(blocks: list[bytes]) -> bytes:
    return b"".join(len(block).to_bytes(_LENGTH, "big") + block for block in blocks)


def _split(content: bytes) -> list[bytes]:
    blocks, at = [], 0
    while at < len(content):
        start = at + _LENGTH
        at = start + int.from_bytes(content[at:start], "big")
        blocks.append(content[start:at])
    return blocks
