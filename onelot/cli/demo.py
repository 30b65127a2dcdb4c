"""One car, told as it happens."""

from rich.console import Console

from onelot.cli.connect import Doors
from onelot.wiring import City


async def tell(city: City, doors: Doors, console: Console) -> None:
    console.print("demo")
