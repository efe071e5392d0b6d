"""What runs at a data site.

The ClientApp, local training and the site's configuration belong here: everything that reads
private rows. Each answer passes the site's own policy and ledger first. Nothing of the
coordinator belongs here, and of ``strategies`` only the names on the wire.
"""

import os

# Threads that spin while they wait take minutes for seconds where cores are shared; read by torch.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__: list[str] = []
