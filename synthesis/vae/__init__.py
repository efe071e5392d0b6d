"""The second generator family: conditional variational autoencoders, for images and for tables.

The decoder is a generator of its kind, so drawing, release and verification are those of any. The
encoder stands beside it while it is trained. What is trained privately is the negative evidence
lower bound of each record by itself (Kingma and Welling 2014).
"""

from synthesis.vae.training import PretrainSettings, fit_on_public_rows

__all__ = ["PretrainSettings", "fit_on_public_rows"]
