"""Identifiers: new ones that sort by time, and ones that follow from a fact, so that saying it twice makes one."""

import os
import secrets
import time
import uuid

_FACTS = uuid.UUID("6f0e1f5c-3f4b-5d0e-9b7a-0e1c07a51071")


def new_id() -> uuid.UUID:
    """A UUID version 7 (RFC 9562): rows of one time lie together in an index."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def random_id() -> uuid.UUID:
    """A UUID version 4: says nothing of when it was made, and nobody guesses it."""
    return uuid.UUID(bytes=os.urandom(16), version=4)


def id_of(*parts: object) -> uuid.UUID:
    """The id of a fact, from what it says: the same words give the same id for ever."""
    return uuid.uuid5(_FACTS, "\x1f".join(str(part) for part in parts))


def secret(bits: int = 128) -> str:
    return secrets.token_urlsafe(bits // 8)
