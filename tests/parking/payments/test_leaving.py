"""Somebody leaves: what is open with her is named, and her money goes back to her once."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from foundation.errors import Conflict
from foundation.sql import Query
from parking.bills.open_money import OpenMoney, open_money
from parking.payments import model
from parking.payments.pay_out import pay_out
from parking.payments.providers.sim_bank import NAME


async def opened(town) -> OpenMoney:
    return await town.database.run(lambda tx: open_money(tx, town.person))


async def paid_out(town, reference: str) -> int:
    return await town.database.run(lambda tx: pay_out(tx, town.person, provider=NAME, reference=reference, at=town.clock.city()))


async def test_money_goes_back_once_for_each_reference_of_the_bank(town):
    assert await opened(town) == OpenMoney(0, 0, 0, 0, 0)
    topup = await town.top_up(10_000)
    assert await opened(town) == OpenMoney(0, 0, 0, 0, topups=1)
    await town.poll_until(topup, "paid")
    assert await opened(town) == OpenMoney(10_000, 0, 0, 0, 0)

    assert [await paid_out(town, "T-1"), await paid_out(town, "T-1")] == [10_000, 10_000]

    assert await town.wallet() == (0, [-10_000, 10_000])
    with pytest.raises(Conflict):
        await paid_out(town, "T-2")
    told = Query("told", "SELECT body::json ->> 'amount' FROM journal.fact WHERE kind = 'wallet_paid_out'")
    assert [row[0] for row in await town.database.fetch(told)] == ["10000"]


# What a provider signs


async def test_notify_fields_changed_before_verification(town):
    """What was signed is the bytes as they came: signs that look like an escape, fields nobody knows and empty ones verify; one byte
    of the amount changed does not, and changes nothing."""
    await town.stop_bank()
    topup = await town.top_up()
    number = model.number_of(topup)
    odd = {"passback": "%7B%22bill%22%3A%22B-17%22%7D", "list": '[{"amount":"0.01"}]', "subject": '停车费 A&B "1"', "empty": "", "new": "x"}

    headers, raw = town.signed(number, "SUCCESS", "100.00", **odd)
    assert await town.sent(headers, raw.replace(b"100.00", b"900.00")) == 401 and await town.state(topup) != "paid"
    assert await town.sent(headers, raw) == 200

    assert await town.state(topup) == "paid" and (await town.wallet())[0] == 10_000


async def test_serial_names_a_public_key_not_a_certificate(town):
    """The header says which key verifies: old and new ones live side by side, and a key that is missing is no word against the money."""
    new = Ed25519PrivateKey.generate()
    topup = await town.top_up()
    number, named = model.number_of(topup), {"key": new, "key_id": "PUB_KEY_ID_0100000001"}
    assert await town.call_back(number, "SUCCESS", "100.00", **named) == 401, "not installed here yet"
    await town.poll_until(topup, "paid")

    ours = town.provider._settings
    keys = {**ours.bank_keys, "PUB_KEY_ID_0100000001": new.public_key()}
    town.provider._settings = dataclasses.replace(ours, bank_keys=keys)

    assert await town.call_back(number, "SUCCESS", "100.00", **named) == 200
    assert await town.call_back(number, "SUCCESS", "100.00") == 200
    assert await town.call_back(number, "SUCCESS", "100.00", key_id="PUB_KEY_ID_0100000001") == 401
    assert (await town.wallet())[0] == 10_000 and await town.told() == 1
