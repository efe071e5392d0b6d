"""Sites and coordinator that count differently find out at the hello, before they spend."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from simulations.demos import load_demo
from strategies.protocol import PROTOCOL_VERSION
from synthesis.encoding import encode
from synthesis.layout import SketchLayout, compute_sketch


def test_another_sketch_speaks_another_protocol() -> None:
    """Whoever changes what a sketch holds raises the version, and then this digest."""
    demo = load_demo("adult")
    layout = SketchLayout.from_schema(demo.schema)
    sketch = compute_sketch(layout, encode(demo.schema, demo.train.iloc[:200]))
    digest = sha256(np.ascontiguousarray(sketch, dtype="<f8").tobytes()).hexdigest()[:16]
    assert (PROTOCOL_VERSION, digest) == (11, "c85993bb04929a57")
