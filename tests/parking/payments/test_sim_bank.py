"""What our client believes of an answer, and what the bank promises by itself."""

import contextlib

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from foundation.clock import Clock
from parking.payments.errors import ProviderAway, ProviderRefuses
from parking.payments.model import State
from parking.payments.providers.sim_bank import Settings, SimBank

NUMBER = "TU" + "A" * 26


@contextlib.asynccontextmanager
async def _impostor(town, handle):
    """Our client, whose bank is somebody else."""
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", handle)
    server = TestServer(app)
    await server.start_server()
    ours = town.provider._settings
    url = str(server.make_url("")).rstrip("/")
    yield SimBank(Settings(url, ours.notify_url, ours.merchant, ours.key, ours.bank_keys), town.client, Clock())
    await server.close()


def _always(status, body):
    async def handle(_):
        return web.Response(status=status, body=body)

    return handle


async def test_a_bare_404_is_an_outage_and_not_an_absent_order(town):
    async with _impostor(town, _always(404, b'{"code": "ORDER_NOT_FOUND", "number": "%s"}' % NUMBER.encode())) as provider:
        with pytest.raises(ProviderAway, match="not signed"):
            await provider.query(NUMBER)

    assert (await town.provider.query(NUMBER)).state is State.ABSENT


async def test_an_answer_is_believed_only_for_the_question_it_was_given_to(town):
    recorded = []

    async def replay(request):
        if not recorded:  # The first question is passed on, the second gets the first one's answer.
            headers = {name: value for name, value in request.headers.items() if name.startswith("Merchant-")}
            async with town.client.get(town.bank_url + request.path_qs, headers=headers) as response:
                signed = {name: value for name, value in response.headers.items() if name.startswith("Bank-")}
                recorded.append((response.status, signed, await response.read()))
        status, headers, body = recorded[0]
        return web.Response(status=status, headers=headers, body=body)

    async with _impostor(town, replay) as provider:
        assert (await provider.query(NUMBER)).state is State.ABSENT
        with pytest.raises(ProviderAway, match="not one of the bank"):
            await provider.query(NUMBER)


async def test_an_answer_without_an_end_is_cut_off(town):
    async with _impostor(town, _always(200, b"x" * 100_000)) as provider:
        with pytest.raises(ProviderAway, match="no end"):
            await provider.query(NUMBER)


async def test_the_bank_refuses_who_is_not_its_merchant(town):
    ours = town.provider._settings
    stranger = SimBank(
        Settings(ours.url, ours.notify_url, ours.merchant, Ed25519PrivateKey.generate(), ours.bank_keys), town.client, Clock()
    )

    with pytest.raises(ProviderAway):
        await stranger.submit(NUMBER, 100)

    assert (await town.provider.query(NUMBER)).state is State.ABSENT


async def test_the_bank_takes_a_number_once_and_refuses_it_with_another_amount(town):
    first = await town.provider.submit(NUMBER, 100)
    second = await town.provider.submit(NUMBER, 100)

    assert first.provider_ref == second.provider_ref
    with pytest.raises(ProviderRefuses, match="AMOUNT_DIFFERS"):
        await town.provider.submit(NUMBER, 101)
    assert (await town.bank_order())["amount"] == "1.00"


async def test_the_banks_orders_survive_its_restart(town):
    await town.provider.submit(NUMBER, 100)
    before = (await town.bank_order())["amount"]
    await town.stop_bank()

    await town.start_bank()

    assert (await town.bank_order())["amount"] == before


async def test_a_fault_that_the_bank_does_not_know_is_refused(town):
    for body in ({"fault": "explode"}, {}, {"fault": "away", "times": "many"}):
        async with town.client.post(town.bank_url + "/control/faults", json=body) as response:
            assert response.status == 422
