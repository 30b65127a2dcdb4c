"""How the page is served: its own paths and no other, assets for ever or not at all, compressed, guarded."""

import re

import pytest

from onelot import page
from tests.onelot.town import Town


async def test_known_path_is_the_page(city: Town) -> None:
    answer = await city.ask("GET", "/login")

    assert (answer.status, answer.kind, answer.headers["Cache-Control"]) == (200, "text/html", "no-cache")
    assert '<div id="app">' in answer.text


@pytest.mark.parametrize(
    "path", ["/nothing", "/assets/index-00000000.js", "/assets/../index.html", "/index.html", "/routes.json", "/SOURCE"]
)
async def test_shell_older_than_its_parts(city: Town, path: str) -> None:
    """A part of an older release is not there, and is never the page in its place; the page itself is asked for anew each time."""
    answer = await city.ask("GET", path)

    assert (answer.status, answer.kind) == (404, "application/problem+json")


async def test_assets_are_kept_for_ever_and_packed(city: Town) -> None:
    index = await city.ask("GET", "/")
    script = re.findall(r'src="(/assets/index-[^"]+\.js)"', index.text)[0]
    async with city.http.get(city.url + script) as answer:
        body = await answer.read()

    assert answer.headers["Cache-Control"] == page.FOREVER
    assert answer.content_type == "text/javascript"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert int(answer.headers["Content-Length"]) < len(body) / 2


async def test_page_that_did_not_change_is_not_sent_again(city: Town) -> None:
    first = await city.ask("GET", "/")
    again = await city.ask("GET", "/", If_None_Match=first.headers["ETag"])

    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize(("path", "first"), [("/login", "/assets/login-"), ("/plates/new", "/assets/plate_new-"), ("/", "")])
async def test_a_page_names_the_files_it_begins_with(city: Town, path: str, first: str) -> None:
    """They are asked for at once: one after the other each costs a slow phone a way to the city and back."""
    link = (await city.ask("GET", path)).headers.get("Link", "")
    named = re.findall(r"<([^>]+)>; rel=(?:modulepreload|preload; as=style; crossorigin)", link)

    assert not first or any(name.startswith(first) for name in named)
    assert all([(await city.ask("GET", name)).status == 200 for name in named])


async def test_page_may_only_speak_to_its_own_host(city: Town) -> None:
    policy = (await city.ask("GET", "/")).headers["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy and "unsafe-inline" not in policy
    assert not re.search(r"https?:", policy)


async def test_licences_travel_with_what_they_are_of(city: Town) -> None:
    said = await city.ask("GET", "/LICENSES.txt")

    assert said.status == 200
    assert "preact" in said.text and "MIT" in said.text
