"""The average in which sites that are unlike the others count less.

Weights by likeness: the idea of FedAMP (Huang et al. 2021, "Personalized Cross-Silo Federated
Learning on Non-IID Data"), with distances of noisy sketches in place of weights, so that they are
told before the first round, from what is private already. The discount has the form of Huber's
weights (1964, "Robust Estimation of a Location Parameter"): none up to a distance, then inverse.
"""

from __future__ import annotations

from strategies.rules.average import FedAvg


class Similarity(FedAvg):
    """The weighted mean of the replies, for which the coordinator discounts the declared weights.

    A site cannot choose its own discount but by its sketch; one bad site still moves the mean.
    """

    @staticmethod
    def discount(distance: float) -> float:
        """Return the part of its declared weight that a site keeps, in (0, 1].

        Args:
            distance: of its sketch from all others', as a multiple of the distance up to which
                sites count as alike, >= 0.
        """
        return 1 / max(1.0, distance)
