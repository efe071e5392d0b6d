"""What a study has so far, on the coordinator's disk: after a crash it goes on from there.

Everything kept here came from sites as private answers, or was made from such. No site is asked for
anything twice that is here, and what is not here sites answer again from what they kept themselves,
so that nobody pays a second time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from privacy import PublicKey, Receipt
from strategies.collect import Answers
from strategies.protocol import PROTOCOL_VERSION
from strategies.round_record import RoundRecord
from strategies.validation import Reply
from synthesis import InputError
from synthesis.durable_file import replace_file

Tensors = Mapping[str, NDArray[Any]]
_STUDY = "study.json"
_ROUND = "round-"
_SUFFIX = ".safetensors"
_SUM = "sum"
_STATE = "state/"  # no layer has such a name


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptRounds:
    """Rounds that are finished.

    Attributes:
        records: one per round.
        weights: of the generator after the last one; None where there is none.
        state: of the rule then.
    """

    records: tuple[RoundRecord, ...] = ()
    weights: Tensors | None = None
    state: Tensors = field(default_factory=dict)


class Checkpoint:
    """The folder of a study's progress.

    Args:
        folder: is made when something is kept; None keeps nothing, as in a simulation.
        receipts: file of the sites' last receipts, which outlives the study.
    """

    def __init__(self, folder: Path | None = None, *, receipts: Path | None = None) -> None:
        self._folder = folder
        self._receipts = receipts

    def open(self, study: str, digest: str) -> bool:
        """Begin a study, or make sure that this is the one that was begun; return which it is.

        Returns:
            Whether the study was begun before.

        Raises:
            InputError: if a study of this name was begun with other settings, or by a version that
                counts and builds generators in another way.
        """
        if self._folder is None:
            return False
        path = self._folder / _STUDY
        facts = {"study": study, "digest": digest, "protocol": PROTOCOL_VERSION}
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace_file(path, json.dumps(facts).encode())
            return False
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.get("protocol") != PROTOCOL_VERSION:
            raise InputError(
                f"study {study!r} was begun by a version of fedsynth that speaks another protocol "
                f"than {PROTOCOL_VERSION}; end it with that one, or give this another name.",
                argument="study",
            )
        if kept != facts:
            raise InputError(
                f"study {study!r} was begun with other settings or another schema; give this one "
                "another name, for sites know a study by its name.",
                argument="study",
            )
        for draft in self._folder.glob("*.*.[0-9]*.[0-9]*"):  # of a process that was killed
            draft.unlink(missing_ok=True)
        return True

    def keep_answers(self, kind: str, answers: Answers, keys: Mapping[int, PublicKey]) -> None:
        """Keep what sites answered to one question, and the keys they answered with.

        Of answers that were folded into one another only the sum is there to be kept.
        """
        facts = {
            "seconds": answers.seconds,
            "bytes": [answers.bytes_down, answers.bytes_up],
            "rejected": {str(node): code for node, code in answers.rejected.items()},
            "config": {str(node): dict(reply.config) for node, reply in answers.valid.items()},
            "keys": {str(node): key.hex for node, key in keys.items()},
        }
        arrays = {
            f"{node}/{name}": array
            for node, reply in answers.valid.items()
            for name, array in reply.arrays.items()
        } | {f"{_SUM}/{name}": array for name, array in answers.sums.items()}
        self._keep(kind, arrays, facts)

    def find_answers(self, kind: str) -> tuple[Answers, dict[int, PublicKey]] | None:
        """Return the answers to a question and the sites' keys, or None if there are none yet."""
        found = self._find(kind)
        if found is None:
            return None
        tensors, facts = found
        replies: dict[int, dict[str, NDArray[Any]]] = {int(node): {} for node in facts["config"]}
        sums: dict[str, NDArray[Any]] = {}
        for place, array in tensors.items():
            node, name = place.split("/", 1)
            (sums if node == _SUM else replies[int(node)])[name] = array
        answers = Answers(
            valid={
                node: Reply(arrays=arrays, config=facts["config"][str(node)])
                for node, arrays in sorted(replies.items())
            },
            rejected={int(node): code for node, code in facts["rejected"].items()},
            seconds=facts["seconds"],
            bytes_down=facts["bytes"][0],
            bytes_up=facts["bytes"][1],
            sums=sums,
        )
        return answers, {int(node): PublicKey(key) for node, key in facts["keys"].items()}

    def keep_fit(self, weights: Tensors, seconds: float) -> None:
        """Keep the generator that was fitted to the pooled sketch."""
        self._keep("fit", weights, {"seconds": seconds})

    def find_fit(self) -> tuple[Tensors, float] | None:
        """Return the fitted generator and how long the fit took."""
        found = self._find("fit")
        return None if found is None else (found[0], found[1]["seconds"])

    def keep_round(self, record: RoundRecord, weights: Tensors, state: Tensors) -> None:
        """Keep the global generator as a round left it, and the state of the rule."""
        facts = asdict(record)
        facts["rejected"] = {str(node): code for node, code in record.rejected.items()}
        tensors = dict(weights) | {f"{_STATE}{name}": array for name, array in state.items()}
        self._keep(f"{_ROUND}{record.server_round:05d}", tensors, facts)

    def find_rounds(self) -> KeptRounds:
        """Return the records of all finished rounds, and what the last of them left.

        A study that ended because none of its rounds counted begins them anew: sites that answered
        give the same answers again, and those that were away can answer now.
        """
        records: list[RoundRecord] = []
        tensors: Tensors = {}
        while (found := self._find(f"{_ROUND}{len(records) + 1:05d}")) is not None:
            tensors, facts = found
            facts["rejected"] = {int(node): code for node, code in facts["rejected"].items()}
            facts["valid"] = tuple(facts["valid"])
            records.append(RoundRecord(**facts))
        if not any(record.changed for record in records):
            return KeptRounds()
        state = {name for name in tensors if name.startswith(_STATE)}
        return KeptRounds(
            records=tuple(records),
            weights={name: array for name, array in tensors.items() if name not in state},
            state={name.removeprefix(_STATE): tensors[name] for name in state},
        )

    def find_weights(self, server_round: int) -> Tensors:
        """Return the weights of the global generator as a finished round left it.

        Raises:
            KeyError: if the round is not kept.
        """
        found = self._find(f"{_ROUND}{server_round:05d}")
        if found is None:
            raise KeyError(server_round)
        return {name: array for name, array in found[0].items() if not name.startswith(_STATE)}

    def keep_receipts(self, receipts: Mapping[PublicKey, Receipt]) -> None:
        """Keep the sites' last receipts; call it after what came with them is kept."""
        if self._receipts is not None:
            texts = {key.hex: receipt.to_text() for key, receipt in receipts.items()}
            replace_file(self._receipts, json.dumps(texts, indent=1).encode())

    def find_receipts(self) -> dict[PublicKey, Receipt]:
        """Return the receipts that are kept.

        Raises:
            InputError: if the file does not hold receipts.
        """
        if self._receipts is None or not self._receipts.exists():
            return {}
        try:
            texts = json.loads(self._receipts.read_text(encoding="utf-8"))
            return {PublicKey(key): Receipt.from_text(text) for key, text in texts.items()}
        except (ValueError, AttributeError):
            raise InputError(
                f"{self._receipts} must hold the last receipts of the sites, and it does not; "
                "restore it from a backup.",
                argument="receipts",
            ) from None

    def _keep(self, name: str, tensors: Tensors, facts: Mapping[str, object]) -> None:
        if self._folder is None:
            return
        whole = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
        metadata = {"facts": json.dumps(facts), "names": json.dumps(list(whole))}
        replace_file(self._folder / f"{name}{_SUFFIX}", save(whole, metadata=metadata))

    def _find(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        if self._folder is None or not (path := self._folder / f"{name}{_SUFFIX}").exists():
            return None
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata()
                names = json.loads(metadata["names"])
                return {n: file.get_tensor(n) for n in names}, json.loads(metadata["facts"])
        except (SafetensorError, ValueError) as error:
            raise InputError(
                f"{path} must hold what this study kept, and it cannot be read ({error}); remove "
                "it, and the sites are asked for it again, at no cost to them.",
                argument="study",
            ) from None
