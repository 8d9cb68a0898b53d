"""Does what commands say, remembers it, and has the outcome published (mqtt.md section 5).

Home Assistant's commands are retained: at each connection the broker brings all of them again,
which is how settings survive a restart. That is harmless, because a setting that is not changed
has no effect. One that was changed meanwhile by other means, on the console for example, must not
come back: the broker's copy of such a command is deleted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from twisted.logger import Logger

from astrameter.ct.emulator import EmulatedCt
from astrameter.ct.settings import SettingError
from astrameter.deferreds import Clock
from astrameter.insights.commands import (
    FIELDS,
    BatteryCommand,
    Cleared,
    Command,
    CtCommand,
    Refused,
    parse,
)
from astrameter.insights.inventory import CtDevice
from astrameter.insights.topics import CommandTopic, Topics
from astrameter.logs import RateLimited
from astrameter.steering.interface import Mode

MAX_REMEMBERED = 2048
"""Commands that are kept for CTs and batteries that are still to come."""

_LOG_EVERY_S = 1.0


class Answers(Protocol):
    """Who publishes what a command came to."""

    def battery_changed(self, device: str, battery: str) -> None:
        """A setting of a battery was changed, or was to be changed: say how it is."""

    def ct_changed(self, device: str) -> None:
        """The same of a whole CT."""

    def overruled(self, topic: str) -> None:
        """What the broker has kept on a command topic does not hold any more: delete it."""


class Control:
    """The commands of one installation.

    :param cts: the emulated CTs by device id, as they are at the time of the call.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        topics: Topics,
        cts: Callable[[], Mapping[str, CtDevice]],
        answers: Answers,
    ) -> None:
        self._topics = topics
        self._cts = cts
        self._answers = answers
        self._remembered: OrderedDict[CommandTopic, bool | float] = OrderedDict()
        self._overruled: OrderedDict[CommandTopic, bool | float] = OrderedDict()
        self._served: dict[str, EmulatedCt] = {}
        self._complaints = RateLimited(clock)
        self._notes = RateLimited(clock, _LOG_EVERY_S)

    def take(self, topic: str, payload: bytes, retained: bool) -> None:
        """A message came on a command topic."""
        target = self._topics.command(topic)
        if target is not None:
            command = parse(target, payload, retained)
            if not (retained and self._is_overruled(command)):
                self._follow(command)

    def settings_changed(self, device: str, battery: str = "") -> None:
        """Settings of a battery, or of the CT itself, have changed, by a command or otherwise."""
        found = self._cts().get(device)
        if found is None:
            return
        for topic in _topics_of(device, battery):
            wanted = self._remembered.get(topic)
            if wanted is not None and _setting(found.ct, topic) != wanted:
                del self._remembered[topic]
                _keep(self._overruled, topic, wanted)
                self._delete(topic)

    def devices_changed(self) -> None:
        """There are other emulated CTs: what was commanded holds for those of the same id.

        Called in the turn of the change, so that no poll is answered in between.
        """
        cts = self._cts()
        for topic, value in list(self._remembered.items()):
            device = cts.get(topic.device)
            if device is None or self._served.get(topic.device) is device.ct:
                continue
            if topic.battery:
                self._change(device.ct, topic, value)
            else:
                device.ct.active_control = bool(value)
        self._served = {device_id: device.ct for device_id, device in cts.items()}

    def _follow(self, command: Command) -> None:
        match command:
            case BatteryCommand(topic, value):
                self._remember(topic, value)
                device = self._cts().get(topic.device)
                if device is not None:
                    self._change(device.ct, topic, value)
                    self._answers.battery_changed(topic.device, topic.battery)
            case CtCommand():
                self._follow_ct(command)
            case Cleared(topic):
                self._remembered.pop(topic, None)
                self._overruled.pop(topic, None)
            case Refused(topic, why):
                self._refuse(topic, why)

    def _follow_ct(self, command: CtCommand) -> None:
        topic, wanted = command.topic, command.active_control
        if wanted is not None:
            self._remember(topic, wanted)
        device = self._cts().get(topic.device)
        if device is not None:
            ct = device.ct
            if command.rotate:
                ct.controller.rotate([c.consumer_id for c in ct.fleet if c.mode is Mode.AUTO])
            if wanted is not None and wanted != ct.active_control:
                ct.active_control = wanted
                if self._notes.allow():
                    self._log.info(
                        "device {device}: active control {how}, by MQTT",
                        device=topic.device,
                        how="on" if wanted else "off",
                    )
            self._answers.ct_changed(topic.device)
        if command.complaint:
            self._refuse(topic, command.complaint)

    def _change(self, ct: EmulatedCt, topic: CommandTopic, value: bool | float) -> None:
        before = _setting(ct, topic)
        try:
            ct.change_setting(topic.battery, topic.field, value)
        except SettingError as error:
            self._refuse(topic, str(error))
            return
        if before != value and self._notes.allow():
            self._log.info(
                "battery {battery}: {field} is {value}, by MQTT",
                battery=topic.battery,
                field=topic.field,
                value=value,
            )

    def _refuse(self, topic: CommandTopic, why: str) -> None:
        """A wrong value is worth a word; a topic that is none of ours is not."""
        if not why:
            self._log.debug("no such command: {field!r}", field=topic.field[:64])
            return
        if self._complaints.allow():
            self._log.warn(
                "device {device!r}, battery {battery!r}: {field} stays as it is: {why}"
                if topic.battery
                else "device {device!r}: a command is not followed: {why}",
                device=topic.device[:64],
                battery=topic.battery[:64],
                field=topic.field,
                why=why,
            )
        if topic.battery:
            self._answers.battery_changed(topic.device, topic.battery)
        else:
            self._answers.ct_changed(topic.device)

    def _remember(self, topic: CommandTopic, value: bool | float) -> None:
        _keep(self._remembered, topic, value)
        self._overruled.pop(topic, None)

    def _is_overruled(self, command: Command) -> bool:
        """Whether the broker brings back what we could not delete while it was away."""
        match command:
            case BatteryCommand(topic, value) | CtCommand(topic, bool(value)):
                old = self._overruled.get(topic) == value
                if old:
                    self._delete(topic)
                return old
        return False

    def _delete(self, topic: CommandTopic) -> None:
        where = self._topics.of_command(topic)
        if self._notes.allow():
            self._log.info("a command on {topic} was overruled by other means", topic=where)
        self._answers.overruled(where)


def _topics_of(device: str, battery: str) -> list[CommandTopic]:
    """Where the settings are commanded."""
    if not battery:
        return [CommandTopic(device)]
    return [CommandTopic(device, battery, field) for field in FIELDS]


def _setting(ct: EmulatedCt, topic: CommandTopic) -> bool | float | None:
    """What a command on ``topic`` would change, as it is."""
    if not topic.battery:
        return ct.active_control
    found: bool | float | None = getattr(ct.fleet.settings_of(topic.battery), topic.field)
    return found


def _keep(
    table: OrderedDict[CommandTopic, bool | float], topic: CommandTopic, value: bool | float
) -> None:
    table[topic] = value
    table.move_to_end(topic)
    if len(table) > MAX_REMEMBERED:
        table.popitem(last=False)
