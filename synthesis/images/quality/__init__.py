"""How good synthetic images are: what a classifier learns from them, and how real they look.

Everything here reads real images without noise, so in a deployment it stays at the site; only
simulations, which own all images anyway, may print it.
"""

from synthesis.images.quality.classifier import accuracy, class_accuracies, train_classifier
from synthesis.images.quality.comparison import ImageComparison, compare_images
from synthesis.images.quality.coverage import Coverage, measure_coverage
from synthesis.images.quality.distances import KernelDistance, frechet_distance, kernel_distance
from synthesis.images.quality.extractor import extract_features, extractor_digest
from synthesis.images.quality.likeness import Distances, ImageLikeness, measure_likeness
from synthesis.images.quality.nearest import Nearest, find_nearest

__all__ = [
    "Coverage",
    "Distances",
    "ImageComparison",
    "ImageLikeness",
    "KernelDistance",
    "Nearest",
    "accuracy",
    "class_accuracies",
    "compare_images",
    "extract_features",
    "extractor_digest",
    "find_nearest",
    "frechet_distance",
    "kernel_distance",
    "measure_coverage",
    "measure_likeness",
    "train_classifier",
]
