"""One fit for all studies whose sketches are the same, for what they do after it does not matter.

Which rule makes one generator of many is asked after the fit, so studies that differ in it alone
have bit for bit the same sketches with the same seed, and would fit the same generator again. That
they are the same is not taken for granted: the fit is found by the sum of the sketches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from time import process_time

from privacy import PublicKey
from server.checkpoint import Checkpoint, Tensors
from server.study import Study
from strategies.collect import Answers
from strategies.protocol import QUERY_SKETCH
from synthesis.schema import Schema


class SharedFit(Checkpoint):
    """Keeps of one study its fit alone, where later studies with the same sketches find it.

    Args:
        folder: of all fits.
        study: settings of the study, of which the seed and the steps of the fit matter.
        schema: of its rows.
        code: what tells one version of the code from another.

    Attributes:
        shared_s: processor time of the fit in seconds, if an earlier study had made it; 0 if not.
    """

    def __init__(self, folder: Path, study: Study, schema: Schema, *, code: str) -> None:
        super().__init__()
        self.shared_s = 0.0
        self._fits = folder
        self._facts = f"{code}:{study.seed}:{study.fit_steps}:{schema.digest()}"
        self._place: Checkpoint | None = None
        self._began = 0.0

    def keep_answers(self, kind: str, answers: Answers, keys: Mapping[int, PublicKey]) -> None:
        """Keep nothing, and learn from the sketches where their fit is."""
        if kind != QUERY_SKETCH:
            return
        digest = hashlib.sha256(f"{self._facts}:{list(answers.valid)}".encode())
        several = {
            f"{node}/{name}": array
            for node, reply in answers.valid.items()
            for name, array in reply.arrays.items()
        }
        for name, array in sorted((several | dict(answers.sums)).items()):
            digest.update(f"{name}:{array.dtype}:{array.shape}:".encode())
            digest.update(array.tobytes())
        place = self._fits / digest.hexdigest()[:32]
        place.mkdir(parents=True, exist_ok=True)
        self._place = Checkpoint(place)

    def find_fit(self) -> tuple[Tensors, float] | None:
        """Return the fit of an earlier study with the same sketches, and its processor seconds."""
        found = None if self._place is None else self._place.find_fit()
        self.shared_s = 0.0 if found is None else found[1]
        self._began = process_time()
        return found

    def keep_fit(self, weights: Tensors, seconds: float) -> None:
        """Keep the fit with the processor seconds it took."""
        if self._place is not None:
            self._place.keep_fit(weights, process_time() - self._began)
