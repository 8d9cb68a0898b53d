"""The service that publishes what happens in the house, and takes commands (mqtt.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from astrameter.ct.emulator import EmulatedCt
from astrameter.events import (
    Bus,
    CtAnswered,
    CtRemoved,
    MeterChanged,
    ShellyAnswered,
    ShellyRemoved,
    Subscription,
)
from astrameter.insights import payloads
from astrameter.insights.app import AppResponder
from astrameter.insights.board import Board
from astrameter.insights.cleaner import Cleaner
from astrameter.insights.components import Components
from astrameter.insights.control import Control
from astrameter.insights.discovery import Discovery
from astrameter.insights.health import HealthCheck
from astrameter.insights.inventory import CtDevice, Inventory
from astrameter.insights.options import InsightsOptions, broker_of
from astrameter.insights.publisher import Publisher
from astrameter.insights.roster import Roster
from astrameter.insights.topics import Topics, fits
from astrameter.insights.views import CtView, ShellyView
from astrameter.marstek.managed import ManagedCts
from astrameter.mqtt import MqttClient, Will

GOODBYE_S = 1.5
"""How long stopping waits for the broker to take our last word."""

LEAST_HEALTH_INTERVAL_S = 1.0

REST_S = 0.002
"""In a flood of commands ten are followed, which takes some 0.5 ms, then none for so long:
batteries that ask meanwhile meet a daemon that is mostly idle."""

_TICK_S = (1.0, 5.0)
_NAME = "MQTT insights"


class Insights(Service):
    """Publishes, announces, takes commands, answers the app.

    :param section: what the section is called in the file, for the log.
    :param inventory: what the appliance consists of at the time of the call.
    :param commit: what Home Assistant shows as our version.
    :param connect: makes the MQTT client.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        options: InsightsOptions,
        section: str,
        *,
        bus: Bus,
        inventory: Callable[[], Inventory],
        managed: ManagedCts,
        wall_clock: Callable[[], datetime],
        version: str,
        commit: str | None = None,
        connect: Callable[..., MqttClient] = MqttClient,
    ) -> None:
        self.options = options
        self._clock = reactor
        self._bus = bus
        self._inventory = inventory
        self._version = version
        self._topics = topics = Topics(
            options.base_topic, options.ha_discovery_prefix, options.addon_slug
        )
        self._discovery = Discovery(topics, commit or "unknown")
        will = Will(topics.status, payloads.OFFLINE.encode())
        self.client = connect(reactor, broker_of(options), section, will=will, rest_s=REST_S)
        self._board = Board()
        self._components = Components()
        self._publisher = Publisher(
            reactor, self.client, self._board, self._collect, self._farewell
        )
        common = (self._board, options.publish_interval, options.ha_discovery, self._tell_bridge)
        self._ct_view = CtView(topics, self._discovery, self._rotates)
        shelly_view = ShellyView(topics, self._discovery)
        self._consumers = Roster(self._ct_view, *common)
        self._batteries = Roster(shelly_view, *common)
        self._control = Control(reactor, topics, lambda: inventory().cts, self)
        self._health = HealthCheck(reactor, self._meter_looked_at)
        self._cleaner = Cleaner(
            reactor,
            options,
            topics,
            self.client,
            self._board,
            self._components,
            inventory,
            wall_clock,
        )
        self._app: AppResponder | None = None
        if options.marstek_mqtt_enabled:
            interval_s = options.marstek_mqtt_interval
            self._app = AppResponder(reactor, self.client, inventory, managed, interval_s)
        self._subscriptions: list[Subscription] = []
        self._calls: dict[str, IDelayedCall] = {}
        self._attached: dict[str, tuple[EmulatedCt, Callable[[str], None], Callable[[], None]]] = {}
        self._changed: dict[tuple[str, str], None] = {}
        self._meters: set[str] = set()
        self._warned: set[str] = set()
        self._filters: set[str] = set()
        self._tell_hub()
        self.client.watch(self._connected, self._publisher.stop)

    # ------------------------------------------------------------------------ start and stop

    def startService(self) -> None:
        Service.startService(self)
        self._observe(CtAnswered, self._ct_answered)
        self._observe(CtRemoved, self._ct_removed)
        self._observe(ShellyAnswered, self._shelly_answered)
        self._observe(ShellyRemoved, self._shelly_removed)
        self._observe(MeterChanged, self._meter_changed)
        self.refresh()
        if self._app is not None:
            self._app.start()
        self._cleaner.start()
        interval_s = min(max(self.options.publish_interval, _TICK_S[0]), _TICK_S[1])
        self._repeat("tick", interval_s, self._tick)
        if self.options.powermeter_health_interval > 0:
            interval_s = max(self.options.powermeter_health_interval, LEAST_HEALTH_INTERVAL_S)
            self._repeat("health", interval_s, self._look_at_meters)
        self.client.startService()

    def stopService(self) -> Deferred[None]:
        """Say goodbye and close; fires when nothing is left, after some seconds at most."""
        Service.stopService(self)
        for subscription in self._subscriptions:
            self._bus.unsubscribe(subscription)
        self._subscriptions.clear()
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
        for device_id in list(self._attached):
            self._detach(device_id)
        self._health.stop()
        self._cleaner.stop()
        self._publisher.stop()
        if self._app is not None:
            self._app.stop()
        return Deferred.fromCoroutine(self._leave())

    async def _leave(self) -> None:
        if self.client.connected:
            goodbye = self.client.publish(self._topics.status, payloads.OFFLINE, qos=1, retain=True)
            await goodbye.addTimeout(GOODBYE_S, self._clock, lambda _result, _after_s: False)
        await self.client.stopService()

    def refresh(self) -> None:
        """The appliance consists of other parts, or they have other options."""
        inventory = self._inventory()
        self._control.devices_changed()
        self._consumers.reconfigured(inventory.cts.keys())
        self._batteries.reconfigured(inventory.shellies)
        for section in self._meters - {one.section for one in inventory.meters}:
            self._meters.discard(section)
            self._board.clear(self._topics.config(self._topics.meter_node(section)))
            self._board.clear(self._topics.meter(section))
        for device_id in [*self._attached.keys() - inventory.cts.keys()]:
            self._detach(device_id)
        for device_id, device in inventory.cts.items():
            self._attach(device_id, device)
            self._control.settings_changed(device_id)  # the configuration may say it anew
        self._subscribe(inventory)
        if self._app is not None:
            self._app.refresh()
        self._publisher.soon()

    def _subscribe(self, inventory: Inventory) -> None:
        """Commands; a device id with a ``/`` takes more than one level of the topic."""
        devices = ["+", *(one for one in inventory.cts if "/" in one and fits(one, levels=True))]
        for device in devices:
            for one in self._topics.command_filters(device):
                if one not in self._filters:
                    self._filters.add(one)
                    self.client.subscribe(one, self._control.take)
        for device_id in (*inventory.cts, *inventory.shellies):
            if not fits(device_id, levels=True) and device_id not in self._warned:
                self._warned.add(device_id)
                self._log.warn(
                    "device {device!r} cannot be published: no MQTT topic can hold + or #; "
                    "give it another id in DEVICE_IDS",
                    device=device_id,
                )

    # ------------------------------------------------------------------------------- events

    def _observe(self, event_type: type[Any], handler: Callable[[Any], None]) -> None:
        self._subscriptions.append(self._bus.subscribe(event_type, handler, name=_NAME))

    def _ct_answered(self, event: CtAnswered) -> None:
        # The bus is a turn behind; the CT may have gone in that time.
        if event.device_id in self._inventory().cts and self._consumers.answered(event):
            self._publisher.soon()

    def _ct_removed(self, event: CtRemoved) -> None:
        self._consumers.removed(event.device_id, event.consumer_id, self._clock.seconds())

    def _shelly_answered(self, event: ShellyAnswered) -> None:
        if event.device_id in self._inventory().shellies and self._batteries.answered(event):
            self._publisher.soon()

    def _shelly_removed(self, event: ShellyRemoved) -> None:
        self._batteries.removed(event.device_id, event.battery_ip, self._clock.seconds())

    def _meter_changed(self, event: MeterChanged) -> None:
        self._look_at_meters((event.section,))

    # -------------------------------------------------------------------------- publishing

    def _connected(self) -> None:
        self.client.publish(self._topics.status, payloads.ONLINE, qos=1, retain=True)
        self._board.connected()
        self._publisher.soon()
        self._look_at_meters()
        if self._app is not None:
            self._app.broadcast()

    def _collect(self) -> None:
        now = self._clock.seconds()
        self._tell_changes()
        self._consumers.collect(now)
        self._batteries.collect(now)

    def _farewell(self, topic: str, text: str) -> str | None:
        return self._components.farewell(topic, text) if topic.endswith("/config") else None

    def _tick(self) -> None:
        now = self._clock.seconds()
        self._consumers.tick(now)
        self._batteries.tick(now)
        self._cleaner.tick()
        if self._board.pending:
            self._publisher.soon()

    def _repeat(self, name: str, interval_s: float, work: Callable[[], None]) -> None:
        def again() -> None:
            self._calls[name] = self._clock.callLater(interval_s, again)
            work()

        self._calls[name] = self._clock.callLater(interval_s, again)

    def _tell_hub(self) -> None:
        if self.options.ha_discovery:
            self._board.put(self._topics.config(self._topics.hub_node), self._discovery.hub())
            self._tell_bridge()

    def _tell_bridge(self) -> None:
        if self.options.ha_discovery:
            count = self._consumers.count + self._batteries.count
            self._board.put(self._topics.bridge, payloads.bridge(self._version, count))

    # ------------------------------------------------------------------------------ meters

    def _look_at_meters(self, sections: Sequence[str] | None = None) -> None:
        if self.client.connected and self.options.powermeter_health_interval > 0:
            meters = self._inventory().meters
            self._health.look_at(
                [one for one in meters if sections is None or one.section in sections]
            )

    def _meter_looked_at(self, section: str, online: bool, watts: Sequence[float]) -> None:
        topic = self._topics.meter(section)
        self._board.put(topic, payloads.meter_health(online, watts))
        self._board.repeat(topic)
        if section not in self._meters and self.options.ha_discovery:
            config = self._topics.config(self._topics.meter_node(section))
            self._board.put(config, self._discovery.meter(section))
        self._meters.add(section)
        self._publisher.soon()

    # ---------------------------------------------------------------------------- commands

    def battery_changed(self, device: str, battery: str) -> None:
        """Say how the settings of a battery are now."""
        if self._consumers.get(device, battery) is not None:
            self._changed[device, battery] = None
            self._publisher.soon()

    def ct_changed(self, device: str) -> None:
        """Say whether a CT steers now."""
        if device in self._inventory().cts and fits(device, levels=True):
            self._changed[device, ""] = None
            self._publisher.soon()

    def overruled(self, topic: str) -> None:
        """Delete a retained command; what the broker cannot do now it is asked again later."""
        self.client.publish(topic, "", retain=True)

    def _setting_changed(self, device: str, battery: str) -> None:
        self._control.settings_changed(device, battery)
        self.battery_changed(device, battery)

    def _control_switched(self, device: str) -> None:
        self._control.settings_changed(device)
        self.ct_changed(device)

    def _tell_changes(self) -> None:
        """However often something was changed in a turn of the reactor, it is told once."""
        changed, self._changed = self._changed, {}
        cts = self._inventory().cts
        for device, battery in changed:
            found = cts.get(device)
            if found is not None and battery:
                self._tell_battery(found.ct, device, battery)
            elif found is not None:
                self._tell_ct(found.ct, device)

    def _tell_battery(self, ct: EmulatedCt, device: str, battery: str) -> None:
        event = self._consumers.get(device, battery)
        if event is not None:
            settings = asdict(ct.fleet.settings_of(battery))
            self._consumers.amend(device, battery, self._ct_view.with_values(event, settings))
            self._board.repeat(self._topics.consumer(device, battery))

    def _tell_ct(self, ct: EmulatedCt, device: str) -> None:
        change = partial(self._ct_view.with_values, values={"active_control": ct.active_control})
        self._consumers.amend_all(device, change)
        topic = self._topics.ct(device)
        count, steered_w = len(ct.fleet), ct.controller.last_grid_w
        self._board.put(topic, payloads.ct_status(steered_w, ct.active_control, count))
        self._board.repeat(topic)

    def _attach(self, device_id: str, device: CtDevice) -> None:
        """Hear of what others than MQTT set, too."""
        attached = self._attached.get(device_id)
        if attached is not None and attached[0] is device.ct:
            return
        self._detach(device_id)
        changed, switched = (
            partial(self._setting_changed, device_id),
            partial(self._control_switched, device_id),
        )
        device.ct.setting_changed.append(changed)
        device.ct.control_switched.append(switched)
        self._attached[device_id] = (device.ct, changed, switched)

    def _detach(self, device_id: str) -> None:
        attached = self._attached.pop(device_id, None)
        if attached is not None:
            ct, changed, switched = attached
            ct.setting_changed.remove(changed)
            ct.control_switched.remove(switched)

    def _rotates(self, device_id: str) -> bool:
        device = self._inventory().cts.get(device_id)
        return device is not None and device.rotates
