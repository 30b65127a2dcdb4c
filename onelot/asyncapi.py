"""The device contract for machines, generated from what the gateway decodes: AsyncAPI 3."""

from typing import Any

import msgspec

from gateway_mqtt import decode
from gateway_mqtt.http import BarrierCommand, CommandAnswer

MESSAGES = {
    "spots": (decode.SpotsSaid, "A camera or bay sensor saw spots"),
    "passage": (decode.PassageSaid, "A gate saw a vehicle pass"),
    "count": (decode.CountSaid, "A counter says how many are inside"),
    "status": (decode.StatusSaid, "At every connect, each minute, and as the will"),
}
DOWN = {"command": (BarrierCommand, "What the city asks of the device"), "answer": (CommandAnswer, "What the device answers")}


def document(host: str, port: int, city: str) -> dict[str, Any]:
    """The whole document as plain values."""
    everything = MESSAGES | DOWN
    types = [kind for kind, _ in everything.values()]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    payloads = dict(zip(everything, schemas, strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "OneLot devices",
            "version": "1.0.0",
            "description": "MQTT 5.0 or 3.1.1; QoS 1 is the promise: PUBACK means on disk.",
        },
        "servers": {"city": {"host": f"{host}:{port}", "protocol": "mqtt"}},
        "channels": {kind: _channel(kind, city, said) for kind, (_, said) in everything.items()},
        "operations": {
            kind: {"action": "send" if kind == "command" else "receive", "channel": {"$ref": f"#/channels/{kind}"}} for kind in everything
        },
        "components": {
            "schemas": components,
            "messages": {kind: {"contentType": "application/json", "payload": payloads[kind]} for kind in everything},
            "parameters": {"site": {"description": "The site's id"}, "device": {"description": "The device's id, which is its user name"}},
        },
    }


def _channel(kind: str, city: str, said: str) -> dict[str, Any]:
    return {
        "address": f"onelot/1/{city}/{{site}}/{{device}}/{kind}",
        "description": said,
        "parameters": {"site": {"$ref": "#/components/parameters/site"}, "device": {"$ref": "#/components/parameters/device"}},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
    }
