"""What every simulated system has at its desk: a key to show, JSON in and JSON out."""

import hmac
from typing import TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

KEY_HEADER = "X-Api-Key"
Body = TypeVar("Body")


def keyed(api_key: str) -> Middleware:
    """Nobody without the key gets further than 401."""

    @web.middleware
    async def check_key(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(KEY_HEADER, "").encode(), api_key.encode()):
            raise web.HTTPUnauthorized
        return await handler(request)

    return check_key


async def body_of(request: web.Request, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.MsgspecError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def answer(body: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
