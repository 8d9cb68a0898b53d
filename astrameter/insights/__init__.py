"""What the appliance tells over MQTT, and what it is told there (mqtt.md)."""
