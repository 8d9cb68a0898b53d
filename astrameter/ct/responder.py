"""The UDP service that answers batteries as a CT002 or CT003."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from astrameter.ct.emulator import Answer, EmulatedCt, Poll
from astrameter.ct.failsafe import Stage
from astrameter.ct.report import answered, status_line
from astrameter.events import (
    REJECTED_BYTES,
    Bus,
    CtAnswered,
    CtRemoved,
    FailsafeChanged,
    PollHeard,
    PollRejected,
)
from astrameter.logs import FailureLog, RateLimited
from astrameter.metrics.counts import PollCounts
from astrameter.reading import MeterError, Sample
from astrameter.routing import Routes
from astrameter.udp import Address, TimeAndUdp, UdpService

SWEEP_EVERY_S = 5.0
SEARCH = b"hame"
"""What a battery broadcasts to find a CT (marstek-devices.md section 5)."""

FOUND = b"ack"

NOT_READY = "not_ready"
FAILSAFE = "failsafe"
UNREADABLE = "unreadable_answer"
"""Why a poll that was understood is not answered, besides the reasons of PollRejected."""


class CtProtocol(DatagramProtocol):
    """Answers the polls of one emulated CT; an error stays with the poll it belongs to.

    :ivar port: where it listens, for observers.
    :ivar counts: what became of the polls.
    """

    _log = Logger()
    noisy = False

    def __init__(
        self,
        clock: TimeAndUdp,
        device_id: str,
        ct: EmulatedCt,
        routes: Routes,
        bus: Bus,
        wall_clock: Callable[[], datetime],
    ) -> None:
        self.device_id = device_id
        self.port = 0
        self.debug_status = False
        self.counts = PollCounts()
        self._clock = clock
        self._ct = ct
        self._routes = routes
        self._bus = bus
        self._wall_clock = wall_clock
        self._reads: dict[int, Deferred[Any]] = {}
        self._meters: dict[str, FailureLog] = {}
        self._unanswered = RateLimited(clock)
        self._sweep_call: IDelayedCall | None = None
        ct.failsafe.changed = self._failsafe_changed
        ct.forgotten = self._tell_forgotten
        ct.rejected = self._tell_rejected

    def startProtocol(self) -> None:
        self._sweep_call = self._clock.callLater(SWEEP_EVERY_S, self._sweep)

    def stopProtocol(self) -> None:
        """The socket is closed: abandon what is under way."""
        if self._sweep_call is not None:
            self._sweep_call.cancel()
            self._sweep_call = None
        for read in list(self._reads.values()):
            read.cancel()

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        if datagram == SEARCH:
            self._write(FOUND, addr)
            self._tell_heard(datagram, addr)
            return
        if not self._ct.answering:
            self.counts.drop(NOT_READY)
            return
        poll = self._ct.receive(datagram, addr, self._clock.seconds())
        if poll is None:
            return
        self._tell_heard(datagram, addr)
        route = self._routes.find(addr[0])
        if route is None:
            self._reply(poll, self._ct.answer(poll, None, "", self._clock.seconds()))
            return
        try:
            read = route.read()
        except Exception:  # noqa: BLE001  a defect of a meter is a failure like any other
            read = fail()
        section = route.section
        read.addCallbacks(self._succeeded, self._failed, (poll, section), {}, (poll, section), {})
        read.addBoth(self._ended, poll)
        if not poll.ended:
            self._ct.wait(poll)
            self._reads[id(poll)] = read

    def _succeeded(self, sample: Sample, poll: Poll, section: str) -> None:
        trouble = self._meters.get(section)
        if trouble is not None:
            trouble.recovered()
        self._reply(poll, self._ct.answer(poll, sample, section, self._clock.seconds()))

    def _failed(self, failure: Failure, poll: Poll, section: str) -> Failure | None:
        if failure.check(CancelledError) is not None:
            return failure
        trouble = self._meters.get(section)
        if trouble is None:
            what = f"[{section}] reading for battery polls"
            trouble = self._meters[section] = FailureLog(self._clock, self._log, what)
        if failure.check(MeterError) is None and not trouble.failures:
            self._log.failure("[{section}] failed unexpectedly", failure, section=section)
        trouble.failed(failure.getErrorMessage())
        now = self._clock.seconds()
        stage = self._ct.failsafe.failed(section, now)
        if stage is Stage.SILENT:
            self.counts.drop(FAILSAFE)
        else:
            self._reply(poll, self._ct.answer_without_meter(poll, stage, section, now))
        return None

    def _failsafe_changed(self, section: str, stage: Stage | None) -> None:
        self._bus.publish(FailsafeChanged(self.device_id, section, stage and stage.value))
        if stage is None:
            self._log.info("[{section}] works again: back to normal", section=section)
            return
        failsafe = self._ct.failsafe
        self._log.warn(
            "[{section}] has failed for {seconds:g} s: {what}",
            section=section,
            seconds=failsafe.after_s,
            what="batteries are not answered any more"
            if stage is Stage.SILENT
            else f"batteries are taken to {failsafe.power_w:g} W",
        )

    def _ended(self, result: Failure | None, poll: Poll) -> None:
        poll.ended = True
        if self._reads.pop(id(poll), None) is not None:
            self._ct.drop(poll)
        if result is None or result.check(CancelledError) is not None:
            return
        if self._unanswered.allow():
            self._log.failure(
                "battery {battery} could not be answered",
                failure=result,
                battery=poll.consumer.consumer_id,
            )

    def _reply(self, poll: Poll, answer: Answer | None) -> None:
        if answer is None:
            self.counts.drop(UNREADABLE)
            if self._unanswered.allow():
                self._log.warn(
                    "battery {battery} at {ip} gets no answer: its names make a frame that a "
                    "battery could not read",
                    battery=poll.consumer.consumer_id[:32],
                    ip=poll.address[0],
                )
            return
        self._write(answer.datagram, poll.address)
        self.counts.answered.add(self._clock.seconds() - poll.received_at)
        if poll.request.phase == "0":
            return
        if self._bus.wants(CtAnswered):
            event = answered(self.device_id, self._ct, poll, answer, self._wall_clock)
            self._bus.publish(event)
        if self.debug_status:
            line = status_line(self._ct, poll, answer, self._clock.seconds())
            self._log.info("{line}", line=line)

    def _write(self, datagram: bytes, addr: Address) -> None:
        if self.transport is None:
            return
        try:
            self.transport.write(datagram, addr)
        except OSError as error:
            if self._unanswered.allow():
                self._log.warn("cannot send to {ip}: {error}", ip=addr[0], error=error)

    def _sweep(self) -> None:
        self._sweep_call = self._clock.callLater(SWEEP_EVERY_S, self._sweep)
        self.sweep()

    def sweep(self) -> list[str]:
        """Forget silent batteries and tell the observers; returns their ids."""
        gone = self._ct.sweep(self._clock.seconds())
        for consumer_id in gone:
            self._log.info("battery {battery} is silent", battery=consumer_id)
        return gone

    def _tell_forgotten(self, consumer_id: str) -> None:
        self._bus.publish(CtRemoved(self.device_id, consumer_id))

    def _tell_heard(self, datagram: bytes, addr: Address) -> None:
        if self._bus.wants(PollHeard):
            self._bus.publish(PollHeard(self.device_id, self.port, addr[0], datagram))

    def _tell_rejected(self, reason: str, datagram: bytes, addr: Address) -> None:
        self.counts.drop(reason)
        if self._bus.wants(PollRejected):
            kept = datagram[:REJECTED_BYTES]
            self._bus.publish(PollRejected(self.device_id, self.port, addr[0], kept, reason))


class CtResponder(UdpService):
    """One emulated CT: a UDP port that batteries poll.

    :ivar ct: its state; the owner's settings are made there.
    """

    def __init__(
        self,
        reactor: TimeAndUdp,
        device_id: str,
        port: int,
        ct: EmulatedCt,
        routes: Routes,
        bus: Bus,
        wall_clock: Callable[[], datetime],
        interface: str = "0.0.0.0",
    ) -> None:
        self.ct = ct
        self.protocol = CtProtocol(reactor, device_id, ct, routes, bus, wall_clock)
        self.protocol.port = port
        super().__init__(reactor, port, self.protocol, interface)
