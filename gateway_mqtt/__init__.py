"""The street speaks: devices come in by MQTT, and what they said is on disk before they hear so."""
