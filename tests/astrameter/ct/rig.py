"""What the tests of the CT emulation stand on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.options import CtOptions
from astrameter.ct.responder import CtProtocol
from astrameter.ct.wire import decode, encode
from astrameter.events import Bus, CtAnswered, CtRemoved
from astrameter.reading import MeterError, Sample, sample_of
from astrameter.steering.interface import Battery, Controller
from tests.doubles import Address, StubMeter, routes_for

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CT_MAC = "112233445566"


class FakeTransport:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.written: list[tuple[bytes, Address]] = []

    def write(self, datagram: bytes, addr: Address) -> None:
        self.written.append((datagram, addr))


class ScriptedMeter(StubMeter):
    """A meter whose samples carry the clock's time, and whose reads can be held back.

    :ivar cancelled: the reads that were held back and given up.
    """

    def __init__(self, clock: Any, section: str = "METER") -> None:
        super().__init__([0.0], section)
        self.delay: list[Deferred[Sample]] | None = None
        self.cancelled: list[Deferred[Sample]] = []
        self._clock: IReactorTime = clock

    def script(self, watts: Any) -> None:
        """What the next reads bring: watts, or ``error``."""
        self.reading = watts

    def hold_back(self) -> list[Deferred[Sample]]:
        """From now on reads wait; the test fires the Deferreds in the returned list."""
        self.delay = []
        return self.delay

    def sample(self, *watts: float) -> Sample:
        """A sample measured now."""
        return Sample(watts, self._clock.seconds())

    def read(self) -> Deferred[Sample]:
        if self.delay is None:
            return super().read()
        self.reads += 1
        waiting: Deferred[Sample] = Deferred(self.cancelled.append)
        self.delay.append(waiting)
        return waiting

    def _result(self, reading: Any) -> Deferred[Sample]:
        if isinstance(reading, Exception) or reading == "error":
            return super()._result(reading)
        try:
            return succeed(sample_of([float(w) for w in reading], self._clock.seconds()))
        except MeterError:
            return fail()


@dataclass(frozen=True)
class Caller:
    """A battery's end of the wire: what it says in its polls."""

    mac: str = "AABBCCDDEE01"
    phase: str = "A"
    power_w: int | str = 0
    type: str = "HMG-50"
    ct_type: str = "HME-4"
    ct_mac: str = CT_MAC
    more: tuple[str, ...] = ()
    address: Address = ("192.168.1.50", 22222)

    @property
    def id(self) -> str:
        return self.mac.lower()

    @property
    def fields(self) -> list[str]:
        return [
            self.type,
            self.mac,
            self.ct_type,
            self.ct_mac,
            self.phase,
            str(self.power_w),
            *self.more,
        ]

    @property
    def datagram(self) -> bytes:
        return encode(self.fields)

    def but(self, **changes: Any) -> Caller:
        """The same battery, saying something else."""
        return replace(self, **changes)


BATTERY = Caller()
PEER = Caller("AABBCCDDEE02", "B", address=("192.168.1.51", 22222))


class Reply(NamedTuple):
    """The fields of an answer by their meaning (ct-protocol.md section 8)."""

    names: list[str]
    phases: list[int]
    total: int
    counts: list[int]
    rssi: int
    index: int
    charge: list[int]
    discharge: list[int]
    energies: list[int]


def parsed(datagram: bytes) -> Reply:
    fields = decode(datagram)
    n = [int(field) for field in fields[4:]]
    return Reply(fields[:4], n[:3], n[3], n[4:8], n[8], n[9], n[10:15], n[15:20], n[20:])


class StubController:
    """A controller that asks for what the test wants.

    :ivar reading_w: its every instruction.
    :ivar calls: what it was asked, as (battery, sample, ids of the fleet).
    :ivar forgotten: the ids it was told to forget.
    """

    def __init__(self, reading_w: float = 0.0) -> None:
        self.last_grid_w = 0.0
        self.reading_w = reading_w
        self.calls: list[tuple[str, Sample, list[str]]] = []
        self.reported: list[str] = []
        self.forgotten: list[str] = []
        self.intents: dict[str, float] = {}

    def report(self, battery: Battery, _now: float) -> None:
        self.reported.append(battery.consumer_id)

    def instruct(
        self, battery: Battery, sample: Sample, fleet: Collection[Battery], _now: float
    ) -> float:
        self.calls.append((battery.consumer_id, sample, [one.consumer_id for one in fleet]))
        return self.reading_w

    def intent_w(self, consumer_id: str) -> float | None:
        return self.intents.get(consumer_id)

    def last_reading_w(self, _consumer_id: str) -> float | None:
        return None

    def saturation(self, _consumer_id: str) -> float:
        return 0.0

    def forget(self, consumer_id: str) -> None:
        self.forgotten.append(consumer_id)

    def rotate(self, consumer_ids: Collection[str]) -> None:
        raise NotImplementedError


class Rig:
    """One emulated CT at a transport and a clock, and what it published."""

    def __init__(
        self,
        *,
        reading_w: float = 0.0,
        controller: Controller | None = None,
        ct_type: str = "HME-4",
        dedupe_s: float = 0.0,
        wait: bool = False,
        **options: Any,
    ) -> None:
        self.clock = Clock()
        self.clock.rightNow = 1000.0
        self.stub = StubController(reading_w)
        self.meter = ScriptedMeter(self.clock)
        self.routes = routes_for([(self.meter, ["192.168.1.0/24"])], wait=wait)
        self.ct = EmulatedCt(
            ct_type, CtOptions(**options), dedupe_s, self.stub if controller is None else controller
        )
        self.bus = Bus(self.clock)
        self.events: list[CtAnswered] = []
        self.removed: list[str] = []
        self.bus.subscribe(CtAnswered, self.events.append, name="test")
        self.bus.subscribe(CtRemoved, lambda e: self.removed.append(e.consumer_id), name="test")
        self.transport = FakeTransport()
        self.protocol = CtProtocol(
            self.clock, "device-1", self.ct, self.routes, self.bus, lambda: NOON
        )
        self.protocol.makeConnection(self.transport)

    def send(self, caller: Caller | bytes, address: Address | None = None) -> None:
        """A datagram arrives."""
        datagram = caller if isinstance(caller, bytes) else caller.datagram
        if address is None:
            address = BATTERY.address if isinstance(caller, bytes) else caller.address
        self.protocol.datagramReceived(datagram, address)

    def take(self) -> list[tuple[bytes, Address]]:
        """What was sent since the last call."""
        written, self.transport.written = self.transport.written, []
        return written

    def replies(self, caller: Caller | bytes) -> list[Reply]:
        """What ``caller`` is answered at once."""
        self.send(caller)
        return [parsed(datagram) for datagram, _ in self.take()]

    def reply(self, caller: Caller | bytes) -> Reply:
        """The one answer to ``caller``."""
        (reply,) = self.replies(caller)
        return reply

    def told(self) -> list[CtAnswered]:
        """The events of the answers since the last call, once the reactor has turned."""
        self.clock.advance(0)
        told, self.events[:] = list(self.events), []
        return told
