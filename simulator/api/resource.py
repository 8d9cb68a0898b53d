"""The routes (simulator.md section 7). Whatever is asked, the answer is JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from astrameter.deferreds import Clock
from astrameter.logs import FailureLog
from astrameter.reading import PhaseWatts
from simulator.api.guard import refusal
from simulator.api.requests import (
    BODIED,
    OF_BATTERY,
    body_of,
    segments,
    toggle_load,
)
from simulator.api.stream import Streams
from simulator.control import Operation, OperationRefused, Refusal, Shutdown, SiteControl, Status

JSON_TYPE = b"application/json; charset=utf-8"

_CODES = {
    Refusal.BAD_VALUE: http.BAD_REQUEST,
    Refusal.NOT_FOUND: http.NOT_FOUND,
    Refusal.UNREACHABLE: http.SERVICE_UNAVAILABLE,
}
_READING = ("GET", "HEAD")


class _WrongMethod(Exception):  # noqa: N818  a way out, not an error
    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"this takes {self.allowed}")


class _Forbidden(Exception):  # noqa: N818  a way out, not an error
    pass


class Api(Resource):
    """All routes."""

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        control: SiteControl,
        power: Callable[[], PhaseWatts],
        look: Callable[[], Status],
        clock: Clock,
        *,
        loopback: bool,
    ) -> None:
        """:param power: what the grid meter shows now.

        :param look: the status as it is now; that of ``control`` may be a second old.
        :param loopback: the port is bound to this machine only.
        """
        Resource.__init__(self)
        self.streams = Streams(control, self._status_line)
        self._looks: dict[str, Callable[[Any], Any]] = {
            "power": self._look_power,
            "status": self._look_status,
            "events": self._listen,
        }
        self._control = control
        self._power = power
        self._look = look
        self._loopback = loopback
        self._trouble = FailureLog(clock, self._log, "a request to the simulator")

    def render(self, request: Any) -> Any:
        """Answer; a defect becomes a 500 and a line in the log."""
        try:
            answer = self._answer(request)
        except OperationRefused as error:
            return _error(request, _CODES[error.kind], str(error))
        except _WrongMethod as error:
            request.setHeader(b"Allow", error.allowed.encode())
            return _error(request, http.NOT_ALLOWED, str(error))
        except _Forbidden as error:
            return _error(request, http.FORBIDDEN, str(error))
        except Exception as error:  # noqa: BLE001  the next request is to be answered all the same
            self._trouble.failed(repr(error))
            return _error(request, http.INTERNAL_SERVER_ERROR, "the simulator failed")
        self._trouble.recovered()
        if answer is NOT_DONE_YET:
            return answer
        return _json(request, http.OK, answer)

    def close(self) -> None:
        """End all event streams."""
        self.streams.close()

    def _answer(self, request: Any) -> Any:
        match segments(request.path):
            case [name] if name in self._looks:
                return self._looks[name](request)
            case ["loads", index, "toggle"]:
                self._guarded(request)
                return self._perform(request, toggle_load(index))
            case ["batteries", mac, name] if name in OF_BATTERY:
                self._guarded(request)
                return self._perform(request, self._of_battery(request, mac, name))
            case [name] if name in BODIED:
                self._guarded(request)
                return self._perform(request, BODIED[name](body_of(request.content.read())))
            case ["shutdown"]:
                self._guarded(request)
                return self._perform(request, Shutdown(), {"status": "shutting_down"})
        raise OperationRefused("there is nothing at this address", Refusal.NOT_FOUND)

    def _look_power(self, request: Any) -> Any:
        _only(request, _READING)
        a_w, b_w, c_w = self._power()
        return {"phase_a": a_w, "phase_b": b_w, "phase_c": c_w}

    def _look_status(self, request: Any) -> Any:
        _only(request, _READING)
        return self._look().to_json()

    def _listen(self, request: Any) -> Any:
        _only(request, ("GET",))
        if self.streams.full:
            message = "too many listen already; try again later"
            raise OperationRefused(message, Refusal.UNREACHABLE)
        self.streams.add(request)
        return NOT_DONE_YET

    def _of_battery(self, request: Any, mac: str, name: str) -> Operation:
        """The battery is looked for before the body is read."""
        battery = self._status().battery(mac)
        if battery is None:
            raise OperationRefused("battery not found", Refusal.NOT_FOUND)
        if name == "dc" and not battery.max_dc_input_w:
            raise OperationRefused("battery has no DC input capability")
        return OF_BATTERY[name](battery.mac, body_of(request.content.read()))

    def _perform(self, request: Any, operation: Operation, answer: Any = None) -> Any:
        """Do it; the answer follows when it is done, if the client is still there."""
        connected = [True]
        request.notifyFinish().addBoth(lambda _: connected.clear())

        def respond(body: bytes) -> None:
            if connected:
                request.write(body)
                request.finish()

        def done(status: Status) -> None:
            respond(_json(request, http.OK, status.to_json() if answer is None else answer))

        def failed(failure: Failure) -> None:
            error: Any = failure.value
            if isinstance(error, OperationRefused):
                respond(_error(request, _CODES[error.kind], str(error)))
            else:
                self._trouble.failed(repr(error))
                respond(_error(request, http.INTERNAL_SERVER_ERROR, "the simulator failed"))

        self._control.perform(operation).addCallbacks(done, failed)
        return NOT_DONE_YET

    def _guarded(self, request: Any) -> None:
        _only(request, ("POST",))
        headers = request.requestHeaders
        host, origin, site = (
            None if (found := headers.getRawHeaders(name)) is None else found[0]
            for name in ("host", "origin", "sec-fetch-site")
        )
        reason = refusal(host, origin, site, loopback=self._loopback)
        if reason is not None:
            raise _Forbidden(reason)

    def _status(self) -> Status:
        status = self._control.status
        if status is None:
            raise OperationRefused("the simulation has not begun yet", Refusal.UNREACHABLE)
        return status

    def _status_line(self) -> bytes:
        return json.dumps(self._status().to_json(), allow_nan=False).encode()


def _only(request: Any, methods: tuple[str, ...]) -> None:
    if request.method.decode("latin-1") not in methods:
        raise _WrongMethod(methods)


def _error(request: Any, code: int, message: str) -> bytes:
    return _json(request, code, {"error": message})


def _json(request: Any, code: int, document: object) -> bytes:
    body = json.dumps(document, allow_nan=False).encode()
    request.setResponseCode(code)
    request.setHeader(b"Content-Type", JSON_TYPE)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body
