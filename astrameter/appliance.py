"""The appliance: what the daemon consists of, and how it becomes what the settings say.

Reading :class:`Appliance` from top to bottom tells what lives in the daemon. Everything takes its
time and network from the ``reactor`` passed in, so the same tree runs in the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application import service
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from astrameter import __version__
from astrameter.config import ConfiguredMeter, Settings
from astrameter.console.ssh.branch import ConsoleBranch
from astrameter.console.ssh.options import CONSOLE
from astrameter.controlsocket.desk import Desk
from astrameter.controlsocket.server import ControlFactory, ControlServer
from astrameter.controlsocket.status import document
from astrameter.controlsocket.watching import Watching
from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.keeper import Keeper
from astrameter.deferreds import spawn
from astrameter.devices import DeviceSpec
from astrameter.emulators import CtEmulator, Emulator, ShellyEmulator
from astrameter.events import Bus, MeterChanged
from astrameter.filters.chain import build_chain
from astrameter.filters.health import Health
from astrameter.insights.inventory import CtDevice, Inventory, MeterDevice
from astrameter.insights.options import INSIGHTS
from astrameter.marstek import cloud
from astrameter.marstek.managed import ManagedCts
from astrameter.marstek.options import MARSTEK, MarstekOptions
from astrameter.meters.interface import IMeter
from astrameter.metertest import test_meters
from astrameter.metrics.service import LoopLag, Metrics
from astrameter.ports import PortError, port_error
from astrameter.redundancy import stand_in
from astrameter.routing import Route, Routes
from astrameter.services import adopt, dismiss
from astrameter.store.deviceids import with_known_ids
from astrameter.store.filestore import Offload, at_once
from astrameter.store.options import STATE, StateOptions
from astrameter.store.remembered import Remembered
from astrameter.store.service import Store
from astrameter.systemd import Notifier, WatchdogService
from astrameter.web.health import HealthServer
from astrameter.web.status import MeterStatus, Status, without_secrets

if TYPE_CHECKING:
    from astrameter.insights.service import Insights
    from astrameter.metrics.figures import Figures


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Surroundings:
    """What the appliance takes from the machine it runs on; the simulator gives its own.

    :ivar environ: environment variables (systemd's, DEBUG_STATUS, GIT_COMMIT_SHA).
    :ivar state_directory: for what survives a restart; None keeps nothing.
    :ivar offload: does what may have to wait for a disk.
    :ivar wall_clock: the present time, aware, UTC.
    :ivar control_socket: where the control socket is to be, by what is configured; None: nowhere.
    :ivar outward: False talks to meters and batteries only: to no broker, cloud or Redis.
    :ivar give_up: called with one clear line when the appliance cannot do its job.
    """

    environ: Mapping[str, str] = field(default_factory=dict)
    state_directory: Path | None = None
    offload: Offload = at_once
    wall_clock: Callable[[], datetime] = _now
    control_socket: Callable[[str], Path | None] = lambda _configured: None
    outward: bool = True
    give_up: Callable[[str], None] = lambda _reason: None


@dataclass(frozen=True)
class MeterBranch:
    """One configured meter, running, with the filters around it."""

    configured: ConfiguredMeter
    meter: IMeter
    chain: Health


class Appliance(service.MultiService):
    """The whole daemon as one service.

    :ivar bus: what happens, for whoever observes.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, settings: Settings, surroundings: Surroundings | None = None
    ) -> None:
        service.MultiService.__init__(self)
        self._reactor = reactor
        self._surroundings = around = surroundings or Surroundings()
        settings = self._allowed(settings)
        state = settings.part(STATE) or StateOptions()
        self.store = Store(
            reactor, around.state_directory, state, around.wall_clock, around.offload
        )
        self._settings = settings = self._named(settings)
        self._started_at = reactor.seconds()
        self._changing = DeferredLock()
        self._test: Deferred[None] | None = None
        self.bus = Bus(reactor)
        self.routes = Routes(stand_in(reactor, self.bus.publish))
        self.meters = tuple(self._meter(one) for one in settings.meters)
        self._remembered = Remembered(reactor, self.store)
        self.emulators: tuple[Emulator, ...] = tuple(map(self._emulator, settings.devices))
        self.inventory = self._inventory()
        self.managed = ManagedCts(self.store)
        self.cloud = self._cloud()
        self.metrics = Metrics(reactor, self._figures)
        self.web = self._web(settings)
        self.insights = self._insights(settings)
        self.desk = self._desk()
        self.control = self._control(settings)
        self.ssh = ConsoleBranch(
            reactor, settings.part(CONSOLE), self.desk.verbs, self.bus, around.state_directory
        )
        self._configure_cloud()
        self._compose()

    def _compose(self) -> None:
        environ = self._surroundings.environ
        self.notifier = Notifier.from_environment(environ)
        adopt(self, self.store, *(branch.meter for branch in self.meters))
        adopt(self, Keeper(self._reactor, self.store, self._cts), self.metrics)
        adopt(self, *(emulator.service for emulator in self.emulators), self.cloud)
        if self.web is not None:
            adopt(self, self.web)
        if self.insights is not None:
            adopt(self, self.insights)
        adopt(self, self.control, self.ssh)
        adopt(self, WatchdogService(self._reactor, self.notifier, environ, self.is_alive))
        self._route()

    # ------------------------------------------------------------------------ start and stop

    def privilegedStartService(self) -> None:
        """Bind every port.

        :raises PortError: one cannot be bound; those already bound are closed again.
        """
        try:
            service.MultiService.privilegedStartService(self)
        except (CannotListenError, PortError) as error:
            for emulator in self.emulators:
                emulator.service.stopService()
            raise port_error(error, self._settings) from None

    def startService(self) -> None:
        """Bind what is not bound yet, connect to the meters, and say that we are ready.

        :raises PortError: a port cannot be bound.
        """
        if not self._settings.devices:
            self._log.warn("DEVICE_TYPE names no device: nothing is emulated")
        if not self.meters:
            self._log.warn("no meter is configured: batteries are told to stay as they are")
        self._remembered.hold_polls()
        self.privilegedStartService()
        service.MultiService.startService(self)
        self._log.info("AstraMeter {version} runs", version=__version__)
        self.notifier.ready()
        if self.meters and not self._settings.general.skip_powermeter_test:
            self._test = spawn(self._test_meters(), "the test of the meters", self._log)

    def stopService(self) -> Deferred[Any]:
        """Everything ends: sockets are closed, timers gone, meters disconnected."""
        self.notifier.stopping()
        if self._test is not None:
            self._test.cancel()
        return maybeDeferred(service.MultiService.stopService, self)

    async def _test_meters(self) -> None:
        pairs = [(branch.meter, branch.chain) for branch in self.meters]
        error = await test_meters(pairs, self._reactor)
        if error is not None:
            self._surroundings.give_up(error)

    # ---------------------------------------------------------------------- change while running

    def apply(self, settings: Settings) -> Deferred[None]:
        """Become what ``settings`` say, replacing only what differs.

        Sockets whose port stays are not closed, and what is known of the batteries stays.

        :raises PortError: (as failure) a new port cannot be bound; nothing has changed then.
        """
        return self._changing.run(Deferred.fromCoroutine, self._apply_now(settings))

    async def _apply_now(self, settings: Settings) -> None:
        settings = self._named(self._allowed(settings))
        opened: list[Any] = []
        try:
            emulators = self._emulators_for(settings.devices, opened)
            web = self._web_for(settings, opened)
            self.ssh.prepare(settings.part(CONSOLE))
        except (CannotListenError, PortError) as error:
            for one in opened:
                await maybeDeferred(one.stopService)
            raise port_error(error, settings) from None
        meters = tuple(self._kept(one) or self._meter(one) for one in settings.meters)
        leaving: list[Any] = [e.service for e in self.emulators if e not in emulators]
        for emulator in self.emulators:
            if isinstance(emulator, CtEmulator) and emulator not in emulators:
                self._remembered.detach(emulator.ct)
        leaving += [branch.meter for branch in self.meters if branch not in meters]
        if self.web is not None and self.web is not web:
            leaving.append(self.web)
        arriving = [branch.meter for branch in meters if branch not in self.meters]
        for emulator, spec in zip(emulators, settings.devices, strict=True):
            emulator.configure(spec)
            self._remember(emulator)
        self.meters, self.emulators, self.web = meters, emulators, web
        before, self._settings = self._settings, settings
        self.inventory = self._inventory()
        self._route()
        leaving += self._configure_cloud()
        if self.insights is not None:
            self.insights.refresh()
        adopt(self, *arriving, *opened)
        for one in leaving:
            await dismiss(one)
        await self.control.configure(self._control_path(settings))
        await self.ssh.become(settings.part(CONSOLE))
        await self.store.configure(settings.part(STATE) or StateOptions())
        if settings.part(INSIGHTS) != before.part(INSIGHTS):
            await self._replace_insights(settings)

    async def _replace_insights(self, settings: Settings) -> None:
        # One after the other: both may use the same topics, and the last word there is to be
        # that of the new one.
        leaving, self.insights = self.insights, None
        if leaving is not None:
            await dismiss(leaving)
        self.insights = self._insights(settings)
        if self.insights is not None:
            adopt(self, self.insights)

    def _kept(self, configured: ConfiguredMeter) -> MeterBranch | None:
        return next((b for b in self.meters if b.configured == configured), None)

    def _emulators_for(
        self, specs: Sequence[DeviceSpec], opened: list[Any]
    ) -> tuple[Emulator, ...]:
        found = []
        for spec in specs:
            emulator = next((e for e in self.emulators if e.accepts(spec)), None)
            if emulator is None:
                emulator = self._emulator(spec)
                emulator.service.privilegedStartService()
                opened.append(emulator.service)
            found.append(emulator)
        return tuple(found)

    def _web_for(self, settings: Settings, opened: list[Any]) -> HealthServer | None:
        if _web_port(settings) == _web_port(self._settings):
            return self.web
        web = self._web(settings)
        if web is not None:
            web.privilegedStartService()
            opened.append(web)
        return web

    # --------------------------------------------------------------------------- the parts

    def _meter(self, configured: ConfiguredMeter) -> MeterBranch:
        section, options = configured.section, configured.options
        meter = configured.kind.build(self._reactor, section, options)

        def changed(error: str | None) -> None:
            if self.bus.wants(MeterChanged):
                self.bus.publish(MeterChanged(section, error))

        max_age_s = configured.kind.max_age_s
        chain = build_chain(meter, options, self._reactor, changed, max_age_s=max_age_s)
        return MeterBranch(configured, meter, chain)

    def _emulator(self, spec: DeviceSpec) -> Emulator:
        world = (self._reactor, spec, self.routes, self.bus, self._surroundings.wall_clock)
        if spec.ct is None:
            return ShellyEmulator(*world)
        debug_status = self._surroundings.environ.get("DEBUG_STATUS", "").lower()
        emulator = CtEmulator(*world, debug_status in ("1", "true", "yes"))
        self._remember(emulator)
        return emulator

    def _remember(self, emulator: Emulator) -> None:
        if isinstance(emulator, CtEmulator):
            self._remembered.attach(emulator.spec.type, emulator.ct)

    def _allowed(self, settings: Settings) -> Settings:
        """Without what goes out of the house, where that is not wanted."""
        if self._surroundings.outward:
            return settings
        devices = tuple(
            one if one.ct is None else replace(one, ct=replace(one.ct, cloud_reporting=False))
            for one in settings.devices
        )
        return replace(settings, devices=devices, sections=())

    def _named(self, settings: Settings) -> Settings:
        """With the device ids that were made up earlier."""
        configured = settings.general.device_ids
        return replace(settings, devices=with_known_ids(settings.devices, configured, self.store))

    def _cloud(self) -> cloud.Cloud:
        around = cloud.Surroundings(
            lambda: None if (one := self.inventory.house_meter()) is None else one.meter,
            lambda: self.insights is not None,
            self._surroundings.wall_clock,
        )
        return cloud.Cloud(self._reactor, self.managed, self.store, around)

    def _configure_cloud(self) -> list[Any]:
        cts = {
            e.spec.ct_type: (e.spec.ct, e.ct)
            for e in self.emulators
            if isinstance(e, CtEmulator) and e.spec.ct is not None
        }
        return self.cloud.configure(self._settings.part(MARSTEK) or MarstekOptions(), cts)

    def _web(self, settings: Settings) -> HealthServer | None:
        port = _web_port(settings)
        if port is None:
            return None
        return HealthServer(
            self._reactor,
            port,
            status=self.status,
            commit=self._commit,
            metrics=self.metrics.render,
        )

    def _insights(self, settings: Settings) -> Insights | None:
        options = settings.part(INSIGHTS)
        if options is None:
            return None
        # Whoever has no broker is spared the MQTT client: time to start, and memory.
        from astrameter.insights.service import Insights  # noqa: PLC0415

        return Insights(
            self._reactor,
            options,
            INSIGHTS.name,
            bus=self.bus,
            inventory=lambda: self.inventory,
            managed=self.managed,
            wall_clock=self._surroundings.wall_clock,
            version=__version__,
            commit=self._commit,
        )

    def _desk(self) -> Desk:
        watching = Watching(self._reactor, self.bus, self.detailed_status)
        return Desk(
            __version__,
            self.detailed_status,
            lambda: self.inventory.cts,
            self.explanation,
            watching,
            self.store.settled,
        )

    def _control(self, settings: Settings) -> ControlServer:
        factory = ControlFactory(self._reactor, self.desk)
        return ControlServer(self._reactor, self._control_path(settings), factory)

    def _control_path(self, settings: Settings) -> Path | None:
        return self._surroundings.control_socket(settings.general.control_socket)

    @property
    def _commit(self) -> str | None:
        return self._surroundings.environ.get("GIT_COMMIT_SHA", "").strip() or None

    def _inventory(self) -> Inventory:
        cts = [e for e in self.emulators if isinstance(e, CtEmulator)]
        others = [e.spec.device_id for e in self.emulators if not isinstance(e, CtEmulator)]
        return Inventory(
            {e.spec.device_id: CtDevice(e.spec, e.ct) for e in cts},
            frozenset(others),
            tuple(
                MeterDevice(b.meter.section, b.meter, b.chain, b.configured.options.netmask)
                for b in self.meters
            ),
        )

    def _route(self) -> None:
        self.routes.replace(
            [
                Route(
                    b.meter,
                    b.chain,
                    options.netmask,
                    options.wait_for_next_message,
                    options.priority,
                    options.plausibility,
                )
                for b in self.meters
                for options in (b.configured.options,)
            ]
        )

    def _cts(self) -> Mapping[str, EmulatedCt]:
        return {e.spec.type: e.ct for e in self.emulators if isinstance(e, CtEmulator)}

    # ------------------------------------------------------------------------------- status

    def is_alive(self) -> bool:
        """Whether every emulated meter listens (for the service manager's watchdog)."""
        return all(emulator.service.listening for emulator in self.emulators)

    def status(self) -> Status:
        """What the status page shows."""
        now = self._reactor.seconds()
        return {
            "version": __version__,
            "uptime_s": now - self._started_at,
            "meters": [_meter_status(branch, now) for branch in self.meters],
            "devices": [
                {
                    "type": e.spec.type,
                    "id": e.spec.device_id,
                    "port": e.spec.udp_port,
                    "batteries": e.batteries(now),
                }
                for e in self.emulators
            ],
        }

    def detailed_status(self) -> dict[str, Any]:
        """What consoles show."""
        now = self._reactor.seconds()
        return document(
            without_secrets(self.status()), self._chains(), self.emulators, self.routes, now
        )

    def explanation(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Why batteries are told what they are told.

        :raises ControlError: there is no such battery.
        """
        cts = [one for one in self.emulators if isinstance(one, CtEmulator)]
        # Asked now and then at most; it brings its own words along.
        from astrameter.controlsocket.explaining import explained  # noqa: PLC0415

        return explained(cts, self._chains(), self.routes, self._reactor.seconds(), args)

    def _chains(self) -> dict[str, Health]:
        return {branch.configured.section: branch.chain for branch in self.meters}

    def _figures(self, lag: LoopLag) -> Figures:
        # Nobody asks for them in most houses.
        from astrameter.metrics.figures import Figures  # noqa: PLC0415
        from astrameter.metrics.gather import links, meter_figures  # noqa: PLC0415

        now = self._reactor.seconds()
        broker = None if self.insights is None else self.insights.client
        return Figures(
            __version__,
            now - self._started_at,
            [meter_figures(branch, now) for branch in self.meters],
            [emulator.figures(now) for emulator in self.emulators],
            lag.durations,
            lag.take_worst_s(),
            links([("redis", self.store.redis), ("mqtt_insights", broker)]),
            self.bus.dropped,
        )


def _web_port(settings: Settings) -> int | None:
    general = settings.general
    return general.web_server_port if general.enable_web_server else None


def _meter_status(branch: MeterBranch, now: float) -> MeterStatus:
    last = branch.chain.last
    sample = None if last is None else last.sample
    return {
        "section": branch.configured.section,
        "watts": None if sample is None else sample.watts,
        "age_s": None if sample is None else now - sample.measured_at,
        "error": None if last is None else last.error,
    }
