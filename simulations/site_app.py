"""A site of a simulation: the given ClientApp, its settings, and a lid on its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from logging import getLogger

from flwr.app import Context, Message

from strategies.protocol import error_reply

ConfigValue = str | int | float | bool
ClientCallable = Callable[[Message, Context], Message]

_log = getLogger(__name__)


class SiteApp:
    """Run a ClientApp the way an installed site does: no error text ever leaves it.

    Both backends use it, so a site that fails answers the same fixed code in both, and keeps what
    it had put into ``context.state`` before it failed, as a real site does.

    Args:
        client_app: a ``ClientApp`` or any callable of the same form.
        run_config: what the ClientApp finds in ``context.run_config``.
        on_error: told the node id and the exception, in this process only.
    """

    def __init__(
        self,
        client_app: ClientCallable,
        run_config: Mapping[str, ConfigValue],
        on_error: Callable[[int, Exception], None] | None = None,
    ) -> None:
        self._client_app = client_app
        self._run_config = dict(run_config)
        self._on_error = on_error

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer one message; an exception becomes an error reply with a fixed code."""
        before, context.run_config = context.run_config, dict(self._run_config)
        try:
            return self._client_app(message, context)
        except Exception as error:  # the border of a site: whatever it is, its text stays here
            _log.debug("node %d failed", context.node_id, exc_info=True)
            if self._on_error is not None:
                self._on_error(context.node_id, error)
            return error_reply(message)
        finally:
            context.run_config = before  # Flower's engine refuses a context that comes back altered
