"""What happens to people (人生一件事), and which matters belong to it, by their topics."""

import functools
import importlib.resources
from dataclasses import dataclass

import yaml

from services.catalog.model import Matter


@dataclass(frozen=True, slots=True)
class LifeEvent:
    code: str
    icon: str
    zh: str
    en: str
    topics: frozenset[str]

    def needs(self, matter: Matter) -> bool:
        topics = matter.elements.get("topics")
        return isinstance(topics, list) and not self.topics.isdisjoint(map(str, topics))


@functools.cache
def life_events() -> tuple[LifeEvent, ...]:
    """Those that came with the program, in the order in which they are shown."""
    said = yaml.safe_load(importlib.resources.files("services.catalog").joinpath("life_events.yaml").read_text("utf-8"))
    return tuple(LifeEvent(one["code"], one["icon"], one["name"]["zh"], one["name"]["en"], frozenset(one["topics"])) for one in said)
