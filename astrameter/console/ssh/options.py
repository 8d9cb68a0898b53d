"""The options of ``[CONSOLE]``: the console over SSH."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from astrameter.options import Kind, Section, boolean, integer, number, option, port, text

PORT = 2222
IDLE_TIMEOUT_S = 1800.0
MAX_SESSIONS = 4


def _address() -> Kind[str]:
    """The kind of an option that holds an address of this computer."""

    def parse(raw: str) -> str:
        try:
            return str(ipaddress.ip_address(raw))
        except ValueError:
            raise ValueError(
                "this is an address of this computer, like 127.0.0.1 (only itself), 0.0.0.0 or "
                ":: (everybody who can reach it)"
            ) from None

    return Kind(parse, "IP address")


@dataclass(frozen=True)
class SshOptions:
    """Options of ``[CONSOLE]``."""

    enable: bool = option(
        boolean(),
        default=False,
        help="Serve the console over SSH. Needs: pip install 'astrameter[ssh]'.",
    )
    host: str = option(
        _address(),
        default="127.0.0.1",
        help="The address to listen at. As it stands, only this computer itself can connect; "
        "0.0.0.0 is every address of it.",
    )
    port: int = option(port(), default=PORT, help="The TCP port to listen at.")
    authorized_keys: str = option(
        text(),
        default="",
        help="The file with the public keys that may log in, one a line as in OpenSSH's "
        'authorized_keys. A key may look; role="steer" in front of it lets it steer, too. Read '
        "again when it changes; needed when ENABLE is yes.",
        example="/etc/astrameter/authorized_keys",
    )
    host_key: str = option(
        text(),
        default="",
        help="The file with the server's own private key. Not set: ssh_host_ed25519_key in the "
        "directory of the state, made at the first start.",
        example="/etc/astrameter/ssh_host_ed25519_key",
    )
    idle_timeout_s: float = option(
        number(0, 604800),
        key="IDLE_TIMEOUT",
        default=IDLE_TIMEOUT_S,
        unit="s",
        help="A session ends when no key was pressed for so long; 0 is never.",
    )
    max_sessions: int = option(
        integer(1, 32), default=MAX_SESSIONS, help="How many consoles may be open at once."
    )


def check(options: SshOptions) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, message)."""
    if options.enable and not options.authorized_keys:
        example = "/etc/astrameter/authorized_keys"
        yield "AUTHORIZED_KEYS", f"name the file with the keys that may log in, like {example}"


CONSOLE = Section(
    "CONSOLE",
    SshOptions,
    help="The console over SSH: what `astrameter console` shows, for whoever has an authorised "
    "key. It is no shell: it runs no program, forwards no port and moves no file.",
    check=check,
)
