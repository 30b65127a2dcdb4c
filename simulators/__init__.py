"""Strangers that speak only MQTT and HTTP."""
