"""``run --ssh``: the console for whoever has an authorised key."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from simulator.commands.setup import UsageError
from simulator.control import SiteControl

INSTALL = "the console over SSH needs: pip install 'astrameter[sim,ssh]'"


def server(reactor: Any, control: SiteControl, options: argparse.Namespace, host_key: Path) -> Any:
    """The service.

    :raises UsageError: when it cannot be had.
    """
    if options.authorized_keys is None:
        raise UsageError("--ssh needs --authorized-keys FILE: only public keys may log in")
    if not Path(options.authorized_keys).is_file():
        raise UsageError(f"--authorized-keys {options.authorized_keys}: there is no such file")
    try:
        from astrameter.console.ssh.hostkey import (  # noqa: PLC0415  it may be missing
            HostKeyError,
            load_or_make,
        )
        from astrameter.console.ssh.options import SshOptions  # noqa: PLC0415  as above
        from astrameter.console.ssh.server import serve  # noqa: PLC0415  as above
        from simulator.console import make_app  # noqa: PLC0415  as above
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("astrameter", "simulator"):
            raise
        raise UsageError(f"{INSTALL} ({error.name} is missing)") from None
    try:
        load_or_make(host_key)
    except HostKeyError as error:
        raise UsageError(str(error)) from None
    host, port = options.ssh
    wanted = SshOptions(
        enable=True,
        host=host,
        port=port,
        authorized_keys=options.authorized_keys,
        host_key=str(host_key),
    )
    return serve(reactor, wanted, make_app(control, reactor))
