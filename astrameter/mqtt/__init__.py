"""Our one MQTT client: paho-mqtt speaks the protocol, Twisted owns sockets, names, TLS and time."""

from __future__ import annotations

from astrameter.mqtt.client import MqttClient
from astrameter.mqtt.engine import Message, Will
from astrameter.mqtt.settings import MqttSettings, parse_uri
from astrameter.mqtt.topics import check_filter, check_topic

__all__ = [
    "Message",
    "MqttClient",
    "MqttSettings",
    "Will",
    "check_filter",
    "check_topic",
    "parse_uri",
]
