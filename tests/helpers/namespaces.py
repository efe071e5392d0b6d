"""Sites on networks of their own: namespaces, each with a cable to this machine that can be cut."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from services import REQUIRED, find_program, need


@dataclass(frozen=True)
class Cable:
    """A namespace, and this machine's end of the cable to it."""

    namespace: str
    device: str

    @property
    def prefix(self) -> Sequence[str]:
        """What to put before a command so that it runs there."""
        return (str(find_program("ip")), "netns", "exec", self.namespace)

    def cut(self) -> None:
        """Let every packet vanish without a word."""
        _ip("link", "set", self.device, "down")

    def heal(self) -> None:
        """Let packets through again."""
        _ip("link", "set", self.device, "up")


@contextmanager
def networks(count: int) -> Iterator[tuple[str, list[Cable]]]:
    """Yield this machine's address and the cables to so many namespaces; nothing is left of them.

    Skips the test where namespaces cannot be made, or fails it where services are required.
    """
    need("iproute2")
    subnet = f"10.213.{os.getpid() % 250 + 1}"
    bridge = f"fsb{os.getpid()}"
    with ExitStack() as stack:
        try:
            _ip("link", "add", bridge, "type", "bridge")
            stack.callback(_ip, "link", "del", bridge, check=False)
            _ip("address", "add", f"{subnet}.1/24", "dev", bridge)
            _ip("link", "set", bridge, "up")
            cables = [_lay(stack, bridge, f"{subnet}.{n + 2}/24", n) for n in range(count)]
        except subprocess.CalledProcessError as error:
            sentence = f"network namespaces cannot be made here: {error.stderr.strip()}"
            if os.environ.get(REQUIRED) == "1":
                pytest.fail(f"{sentence} ({REQUIRED} is set)")
            pytest.skip(sentence)
        yield f"{subnet}.1", cables


def _lay(stack: ExitStack, bridge: str, address: str, number: int) -> Cable:
    cable = Cable(namespace=f"fedsynth-{os.getpid()}-{number}", device=f"fsc{os.getpid()}-{number}")
    _ip("netns", "add", cable.namespace)
    stack.callback(_ip, "netns", "del", cable.namespace, check=False)  # its devices go with it
    inner = ("-n", cable.namespace)
    _ip("link", "add", cable.device, "type", "veth", "peer", "name", "uplink")
    stack.callback(_ip, "link", "del", cable.device, check=False)
    _ip("link", "set", "uplink", "netns", cable.namespace)
    _ip("link", "set", cable.device, "master", bridge)
    _ip("link", "set", cable.device, "up")
    _ip(*inner, "address", "add", address, "dev", "uplink")
    _ip(*inner, "link", "set", "uplink", "up")
    _ip(*inner, "link", "set", "lo", "up")
    return cable


def _ip(*words: str, check: bool = True) -> None:
    program = str(find_program("ip"))
    subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=check)
