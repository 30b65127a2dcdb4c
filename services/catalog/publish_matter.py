"""Publish a matter: proved first, stored under its own hash, live from now on for new cases and for no other."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from foundation import events
from foundation.postgres import Database, Transaction
from services.catalog import model, store
from services.catalog.errors import CatalogError
from services.catalog.model import Matter
from services.catalog.prove_matter import prove

FILES_MAX = 200
BUILT_IN = Path(__file__).resolve().parent.parent / "matters"


def files_of(folder: Path) -> dict[str, str]:
    """Every file of a matter's folder by its name in it. Raises CatalogError when there is none to read."""
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise CatalogError(f"{folder} holds no files; `onelot matter new {folder}` begins a matter there")
    if len(found) > FILES_MAX:
        raise CatalogError(f"{folder} holds over {FILES_MAX} files; a matter is a small folder")
    try:
        return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found}
    except UnicodeDecodeError as error:
        raise CatalogError(f"a file in {folder} is not UTF-8 text: {error}") from None


async def publish_matter(database: Database, files: Mapping[str, str], *, now: datetime) -> tuple[Matter, str, bool]:
    """The matter, its version, and whether it is news. Raises MatterFaults."""
    matter, _ = prove(files)
    content = model.encoded(matter)
    version = model.version_of(content)

    async def work(tx: Transaction) -> bool:
        await store.keep_version(tx, matter.code, version, content, now)
        if await store.live_version(tx, matter.code) == version:
            return False
        await store.set_live(tx, matter, version, now)
        tx.tell(events.MatterPublished(code=matter.code, version=version, agency=matter.agency), at=now)
        return True

    return matter, version, await database.run(work)


async def publish_built_in(database: Database, *, now: datetime) -> None:
    """The matters that come with the platform, at start-up: what was published here before is not published again, so that a city
    that goes on with a later version of its own keeps it."""
    for folder in sorted(path for path in BUILT_IN.iterdir() if (path / "matter.yaml").exists()):
        matter, _ = prove(files_of(folder))
        version = model.version_of(model.encoded(matter))
        if not await store.was_published(database, matter.code, version):
            await publish_matter(database, files_of(folder), now=now)
