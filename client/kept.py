"""The answers that a site has given, on its own disk before they are sent.

What is kept here is private already. So the same question may have the same answer again, as often
as it is asked, at no cost: a coordinator that died goes on, and a network that broke loses nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from safetensors import safe_open
from safetensors.numpy import save

from strategies.protocol import ARRAYS, CONFIG, HELD_RECEIPT, RECEIPT
from synthesis.durable_file import replace_file


class KeptAnswers:
    """The answers of one study.

    Args:
        folder: the site's folder for this study.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process answer this study meanwhile, so that nothing is drawn twice."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def find(self, phase: str, message: Message) -> RecordDict | None:
        """Return the answer that this question had in this phase, without a receipt; or None."""
        path = self._path(phase)
        if not path.exists():
            return None
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()["facts"])
            if facts["question"] != _digest(message):
                return None
            records: dict[str, ArrayRecord | ConfigRecord] = {
                record: ArrayRecord(
                    {name: Array(file.get_tensor(f"{record}/{name}")) for name in names}
                )
                for record, names in facts["arrays"].items()
            }
        records[CONFIG] = ConfigRecord(facts["config"])
        return RecordDict(dict(records))

    def keep(self, phase: str, message: Message, content: RecordDict) -> None:
        """Put an answer onto the disk.

        Raises:
            OSError: if there is no room; nothing is kept then.
        """
        config = dict(content.config_records[CONFIG])
        config.pop(RECEIPT, None)  # the next one comes with a newer receipt
        facts = {
            "question": _digest(message),
            "config": config,
            "arrays": {name: list(record) for name, record in content.array_records.items()},
        }
        tensors = {
            # safetensors writes the memory as it lies, whatever the order of the axes
            f"{name}/{key}": np.asarray(array.numpy(), order="C")
            for name, record in content.array_records.items()
            for key, array in record.items()
        }
        replace_file(self._path(phase), save(tensors, metadata={"facts": json.dumps(facts)}))

    def _path(self, phase: str) -> Path:
        return self._folder / f"answer-{phase}.safetensors"


def _digest(message: Message) -> str:
    """Return the digest of a question: its type, its settings and the weights it brings.

    The receipt that comes back with it, and the pooled sketch, which may come more than once, do
    not make it another question.
    """
    content = message.content
    config = {k: v for k, v in content.config_records[CONFIG].items() if k != HELD_RECEIPT}
    digest = hashlib.sha256(message.metadata.message_type.encode())
    digest.update(json.dumps(config, sort_keys=True).encode())
    for name, array in content.array_records.get(ARRAYS, ArrayRecord()).items():
        digest.update(json.dumps([name, array.dtype, list(array.shape)]).encode())
        digest.update(array.data)
    return digest.hexdigest()
