"""The present schema of each package, readable beside its migrations: written by `make schema`, proved fresh by a test."""

import asyncio
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from onelot.cli.backup import binary
from tests import bed

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {
    "foundation": ("journal",),
    "gateway_mqtt": ("gateway",),
    "citymap": ("citymap",),
    "parking": ("parking", "ledger"),
    "services": ("services",),
}
_NOISE = re.compile(r"^(SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*|--|-- (Name|PostgreSQL|Dumped).*)\n", re.MULTILINE)


async def write() -> None:
    async with bed.made() as servers:
        template = await bed.migrated_template(servers)
        for package, text in present(template.owner_url).items():
            (ROOT / package / "schema.sql").write_text(text)


def present(url: str) -> dict[str, str]:
    """The schema of each package as a freshly migrated database has it."""
    return {package: heading(package) + normal(dumped(url, schemas)) for package, schemas in SCHEMAS.items()}


def heading(package: str) -> str:
    return f"-- The present schema of {package}, for reading: `make schema` writes it from the migrations, nothing runs it.\n\n"


def dumped(url: str, schemas: tuple[str, ...]) -> str:
    parts = urlsplit(url)
    where = f"postgresql://{parts.username}@{parts.hostname}:{parts.port or 5432}{parts.path}"
    words = ["--schema-only", "--no-owner", "--no-privileges", *(f"--schema={schema}" for schema in schemas)]
    environment = {"PATH": os.environ.get("PATH", ""), "PGPASSWORD": parts.password or "", "LC_ALL": "C"}
    return subprocess.run(
        [binary("pg_dump"), f"--dbname={where}", *words], env=environment, check=True, capture_output=True, text=True
    ).stdout


def normal(dump: str) -> str:
    """Without what differs from one run, server or client to the next, and without what only a restore needs."""
    return re.sub(r"\n{3,}", "\n\n", _NOISE.sub("", dump)).strip() + "\n"


if __name__ == "__main__":
    asyncio.run(write())
