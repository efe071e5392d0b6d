"""Keep registry and SuperLink of one mind: who is in the registry gets in, and nobody else."""

from __future__ import annotations

from server.deploy.control import Control, NotRunning, open_control
from server.deploy.folder import ServerFolder
from server.deploy.registry import Admission, AdmittedSite, Registry, changing, load_registry


def admit(server: ServerFolder, admission: Admission) -> AdmittedSite:
    """Put a site into the registry, and let it in at once if the SuperLink runs.

    Returns:
        The site; its ``node_id`` is None when it will be let in at the next start.

    Raises:
        InputError: if its name or one of its keys is known already; nothing is changed.
    """
    with changing(server) as held:  # on the disk before the SuperLink, which takes a key once only
        held[0] = held[0].add(admission)
    synchronise(server)
    return load_registry(server).find(admission.name)


def revoke(server: ServerFolder, name: str) -> bool:
    """Shut a site out for good; return whether the SuperLink knows, or will at its next start.

    Raises:
        InputError: if there is no such site.
    """
    with changing(server) as held:
        held[0] = held[0].revoke(name)
    return synchronise(server)


def synchronise(server: ServerFolder) -> bool:
    """Make the SuperLink's nodes those of the registry; return False if it does not run.

    What somebody else has registered at the SuperLink is unregistered.
    """
    with changing(server) as held, open_control(server) as control:
        try:
            held[0] = _match(held[0], control)
        except NotRunning:
            return False
    return True


def _match(registry: Registry, control: Control) -> Registry:
    known = {node.node_key: node.node_id for node in control.nodes()}
    for site in registry.active:
        node_id = known.pop(site.node_key, None) or control.register(site)
        registry = registry.replace(site.model_copy(update={"node_id": node_id}))
    for node_id in known.values():  # revoked, or never admitted
        control.unregister(node_id)
    return registry
