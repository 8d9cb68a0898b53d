"""What the daemon does when it is asked over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed

from astrameter.controlsocket.server import Verb
from astrameter.controlsocket.watching import Watching
from astrameter.insights.inventory import CtDevice


class Desk:
    """The verbs.

    :param status: the status document.
    :param settled: fires when what was changed survives a crash (False: when it does not yet).
    :param explained: explains the decisions about batteries.
    :param cts: the emulated CTs by device id, as they are at the time of the call.
    """

    def __init__(
        self,
        version: str,
        status: Callable[[], dict[str, Any]],
        cts: Callable[[], Mapping[str, CtDevice]],
        explained: Verb,
        watching: Watching,
        settled: Callable[[], Deferred[bool]] = lambda: succeed(True),
    ) -> None:
        self.version = version
        self.settled = settled
        self.watching = watching
        self.verbs: Mapping[str, Verb] = {
            "status": lambda _args: status(),
            "explain": explained,
            "set": partial(_order, cts, "set"),
            "rotate": partial(_order, cts, "rotate"),
            "active_control": partial(_order, cts, "active_control"),
        }


def _order(
    cts: Callable[[], Mapping[str, CtDevice]], name: str, args: Mapping[str, Any]
) -> dict[str, Any]:
    # They bring the rules of the MQTT commands along, which cost a house without orders memory.
    from astrameter.controlsocket import orders  # noqa: PLC0415

    return orders.ORDERS[name](cts(), args)
