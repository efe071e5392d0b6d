"""The front door: the public Python API and the command line, and nothing else.

Users import only this package. It stays thin: what it offers is made in the other packages.
"""

from fedsynth.shadows import check_root_packages

# First of all, so that a foreign `client.py` in the way is named instead of failing later.
check_root_packages()

__all__: list[str] = []
