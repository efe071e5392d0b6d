"""The coordinator as a service: its folder, its keys, its processes and the way to its sites.

Sites reach one address over TLS, a reverse proxy that lets nothing through but what sites need.
Flower's SuperLink stands behind it on the loopback interface. Nothing of a site belongs here.
"""

__all__: list[str] = []
