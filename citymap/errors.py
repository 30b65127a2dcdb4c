"""What the map refuses.

MapRefused
├── NothingReadable    the file as a whole is not one of ours
└── SnapshotUnusable   a snapshot file that cannot be the start of a board
"""


class MapRefused(Exception):
    """The map cannot use what it was given."""


class NothingReadable(MapRefused):
    """Nothing in the file could be read."""


class SnapshotUnusable(MapRefused):
    """The snapshot file is damaged, of another version or of another history."""
