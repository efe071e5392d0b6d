"""The loss of one release, from arrays, is dp-accounting's own to the last bit."""

import math

import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_distribution import (
    PrivacyLossDistribution,
    from_gaussian_mechanism,
)
from dp_accounting.rdp.rdp_privacy_accountant import DEFAULT_RDP_ORDERS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from privacy import release_loss
from privacy.accounting import RDP_ORDERS
from privacy.release_loss import compute_release_loss


def masses(loss: PrivacyLossDistribution) -> list[object]:
    """Everything that a distribution holds, for both changes of a unit."""
    found: list[object] = []
    for pmf in (loss._pmf_remove, loss._pmf_add):
        dense = pmf.to_dense_pmf()
        found += [dense._lower_loss, dense._probs.tobytes(), dense._infinity_mass]
    return found


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.3, 100),
    st.one_of(st.sampled_from([1.0, 0.5, 1e-3]), st.floats(1e-7, 0.9999)),
    st.sampled_from([1e-2, 1e-3, 3e-3]),
)
@example(0.3, 1.0, 1e-3)
@example(1.1, 0.0256, 1e-3)
@example(5.0, -math.expm1(-0.05), 1e-2)  # the losses end where a cell does
@example(1.0, 1e-5, 1e-4)
def test_every_mass_is_that_of_dp_accounting(noise: float, rate: float, width: float) -> None:
    reference = from_gaussian_mechanism(
        noise, sampling_prob=rate, value_discretization_interval=width
    )
    assert masses(compute_release_loss(noise, rate, width)) == masses(reference)


@pytest.mark.parametrize("rate", [1e-12, 1e-7, 0.1, 1 - 1e-9])
def test_no_mass_is_lost_where_rounding_reaches_the_end_of_the_losses(rate: float) -> None:
    end = math.log1p(-rate)
    near = np.array([np.nextafter(end, 0), end * (1 - 1e-15), end * (1 - 1e-8), end / 2, 0.0])
    found = release_loss._without_sampling(near, rate)
    assert not np.isnan(found).any()
    assert found[0] == -math.inf


def test_renyi_orders_are_those_of_dp_accounting() -> None:
    assert tuple(DEFAULT_RDP_ORDERS) == RDP_ORDERS
