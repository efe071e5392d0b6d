"""Federations on images: the sites, the run and its figures; all else is as for tables."""

from simulations.images.simulate import ImageSimulationResult, run_image_simulation
from simulations.images.sites import is_of_images

__all__ = ["ImageSimulationResult", "is_of_images", "run_image_simulation"]
