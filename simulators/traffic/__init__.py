"""A city's traffic as strangers see it: streets and gates over MQTT, drivers over HTTP, and the truth that nobody else knows."""
