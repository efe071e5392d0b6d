from __future__ import annotations

from typing import Any

import numpy as np
from toy_study import client_app, make_server_app

from simulations.backends import run_local


def test_toy_study_runs_in_process() -> None:
    results: dict[str, Any] = {}
    server_app = make_server_app(results, num_sites=3, minimum=3)
    run = run_local(server_app, client_app, 3, run_config={"toy": "yes"})
    assert run.failures == ()
    assert results["pooled"].noise_variance == 12.0
    np.testing.assert_array_equal(results["pooled"].values, np.full(5, 111.0))
    np.testing.assert_array_equal(results["arrays"]["layer.bias"], np.full(3, 5.0))
    assert results["arrays"]["layer.bias"].dtype == np.float32
    assert [r.changed for r in results["rounds"]] == [True, True]
    assert run.seconds < 5
