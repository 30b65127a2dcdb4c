"""Drivers with an account, as strangers: they log in by a code, prove their plates, fill their wallets and look where to park."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from simulators import one_car, population
from simulators.one_car import Driver, NotSo
from simulators.traffic import cars
from simulators.traffic.dice import Dice

Codes = Callable[[str], Awaitable[str | None]]  # The newest code on a phone.
WALLET_FEN = 50_000
AT_ONCE = 4
OF_AN_ADDRESS = 25  # Log-ins: people come from addresses of their own, and the door lets each ask for some thirty codes.
LOOK_SECONDS = 2.0


@dataclass(slots=True)
class Drivers:
    """Accounts by number, once they are logged in. `refused` are those whom the city would not have."""

    url: str
    codes: Codes
    number: int
    known: dict[int, Driver] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    asked: int = 0
    _doors: list[aiohttp.ClientSession] = field(default_factory=list)

    async def come(self) -> None:
        """Everybody logs in and gets ready, a few at once."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(account: int) -> None:
            async with gate:
                try:
                    self.known[account] = await self._ready(account)
                except (NotSo, aiohttp.ClientError, OSError, TimeoutError) as error:
                    self.refused.append(f"account {account}: {str(error)[:200]}")

        async with asyncio.TaskGroup() as group:
            for account in range(self.number):
                group.create_task(one(account))

    async def _ready(self, account: int) -> Driver:
        driver = Driver(self._door(account // OF_AN_ADDRESS), self.url, cars.phone_of(account))
        await driver.log_in(lambda: self.codes(driver.phone))
        car = population.person_of(driver.phone).plates[0]
        await driver.own(car.plate, car.colour, car.vin_last6)
        balance = (await driver.must("GET", "/api/v1/me/wallet"))["balance"]["amount"]
        if balance < WALLET_FEN // 2:
            body = {"amount": WALLET_FEN, "currency": "CNY"}  # Not waited for: the bank takes its time, and the money comes all the same.
            await driver.must("POST", "/api/v1/me/wallet/topups", body, key=str(uuid.uuid4()))
        return driver

    def _door(self, number: int) -> aiohttp.ClientSession:
        while len(self._doors) <= number:
            street = 1 + os.getpid() % 250  # Another run, other addresses: the door counts what each has asked for in the last minutes.
            local = (f"127.{street}.{1 + len(self._doors) // 250}.{1 + len(self._doors) % 250}", 0) if "//127." in self.url else None
            self._doors.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=local)))
        return self._doors[number]

    async def look(self, around: Sequence[tuple[float, float]], seed: int) -> None:
        """For ever: somebody looks for a place, or at her stay."""
        dice = Dice(seed, "looks")
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self.known:
                continue
            driver = self.known[dice.one_of(sorted(self.known))]
            with contextlib.suppress(NotSo, aiohttp.ClientError, OSError, TimeoutError):
                if around and dice.chance(0.6):
                    lon, lat = dice.one_of(around)
                    await driver.must("GET", "/api/v1/near", lon=f"{lon}", lat=f"{lat}", radius="1000")
                else:
                    await driver.must("GET", "/api/v1/me/sessions", state="open")
                self.asked += 1

    async def bills(self, account: int) -> list[dict[str, Any]]:
        return await everything(self.known[account], "/api/v1/me/bills")

    async def close(self) -> None:
        for door in self._doors:
            await door.close()


async def everything(driver: one_car.Driver, path: str, **query: str) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = await driver.must("GET", path, limit="500", **query, **more)
        found += page["items"]
        if not page["next_cursor"]:
            return found
        more = {"cursor": page["next_cursor"]}
