"""The basemap at the web door: in ranges, as a reader of PMTiles asks for it, and with ETags."""

from tests.onelot.town import Town


async def test_a_range_of_the_basemap_is_answered_with_just_that(running_city: Town) -> None:
    async with running_city.http.get(f"{running_city.url}/basemap/city.pmtiles", headers={"Range": "bytes=0-6"}) as answer:
        body = await answer.read()

    assert (answer.status, body, answer.headers["Accept-Ranges"]) == (206, b"PMTiles", "bytes")


async def test_the_places_are_not_sent_twice_to_who_has_them(running_city: Town) -> None:
    async with running_city.http.get(f"{running_city.url}/basemap/places.json") as first:
        items = (await first.json())["items"]
    async with running_city.http.get(f"{running_city.url}/basemap/places.json", headers={"If-None-Match": first.headers["ETag"]}) as second:
        again = await second.read()

    assert {"kind", "zh", "en", "pinyin", "initials", "lon", "lat"} <= items[0].keys()
    assert (second.status, again) == (304, b"")
