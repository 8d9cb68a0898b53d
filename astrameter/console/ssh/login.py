"""The login: a public key of the file, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.conch.ssh.common import NS, getNS
from twisted.conch.ssh.service import SSHService
from twisted.conch.ssh.transport import DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE

from astrameter.console.ssh import limits
from astrameter.console.ssh.algorithms import SIGNATURES
from astrameter.console.ssh.authorized import AuthorizedKey
from astrameter.console.ssh.channels import make_console_connection
from astrameter.console.ssh.quiet import QUIET

if TYPE_CHECKING:
    from astrameter.console.ssh.connection import Connection

_REQUEST, _FAILURE, _SUCCESS, _KEY_IS_FINE = 50, 51, 52, 60
_METHOD = b"publickey"
_NEXT = b"ssh-connection"


class PublicKeyLogin(SSHService):
    """Asks a guest for a signature (RFC 4252 section 7).

    The guest's key is never parsed: it is looked up, byte by byte, among those of the file.
    Whatever name the guest has is fine; the key says who it is.
    """

    name = b"ssh-userauth"
    _log = QUIET

    def __init__(self) -> None:
        self.protocolMessages = {_REQUEST: "MSG_USERAUTH_REQUEST"}
        self._requests = self._attempts = 0

    def ssh_USERAUTH_REQUEST(self, packet: bytes) -> None:
        """Somebody wants to log in."""
        self._requests += 1
        user, service, method, rest = getNS(packet, 3)
        if method == _METHOD and service == _NEXT:
            has_signature, (algorithm, blob, rest) = rest[0], getNS(rest[1:], 2)
            found = self._authorized(algorithm, blob)
            if found is not None and not has_signature:
                if self._patient():
                    self._connection.say(_KEY_IS_FINE, NS(algorithm) + NS(blob))
                return
            claim = NS(user) + NS(service) + NS(method) + b"\x01" + NS(algorithm) + NS(blob)
            if found is not None and self._signed(found, algorithm, claim, getNS(rest)[0]):
                self._welcome(found, user)
                return
        if method != b"none":
            self._attempts += 1
            self._connection.host.refused(self._connection, method)
        if self._patient():
            self._connection.say(_FAILURE, NS(_METHOD) + b"\x00")

    @property
    def _connection(self) -> Connection:
        transport: Any = self.transport
        connection: Connection = transport
        return connection

    def _authorized(self, algorithm: bytes, blob: bytes) -> AuthorizedKey | None:
        found = self._connection.host.keys.find(blob)
        if found is None or algorithm not in SIGNATURES[found.key.sshType()]:
            return None
        return found

    def _signed(
        self, found: AuthorizedKey, algorithm: bytes, claim: bytes, signature: bytes
    ) -> bool:
        session_id = self._connection.sessionID
        if session_id is None:
            return False
        message = NS(session_id) + bytes((_REQUEST,)) + claim
        try:
            # Conch goes by the algorithm that the signature names, which may be SHA-1.
            named = getNS(signature)[0]
            return named == algorithm and bool(found.key.verify(signature, message))
        except Exception:  # noqa: BLE001  a stranger's bytes; Conch raises whatever it likes
            return False

    def _patient(self) -> bool:
        if self._attempts < limits.ATTEMPTS and self._requests < limits.REQUESTS:
            return True
        self._connection.end(DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, b"too many attempts")
        return False

    def _welcome(self, found: AuthorizedKey, user: bytes) -> None:
        connection = self._connection
        connection.login = found
        connection.host.welcomed(connection, user)
        connection.say(_SUCCESS, b"")
        transport: Any = connection
        transport.setService(make_console_connection())
