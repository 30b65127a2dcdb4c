"""What came from outside is shown as the letters that it is, wherever people look at it."""

import json
from datetime import UTC, datetime

from citymap.import_sites import import_sites
from citymap.model import Bounds
from tests.onelot.town import Town
from tests.web.visitor import Visitors

EVIL = "<img src=x onerror=window.ran=1><script>window.ran=1</script>"


async def test_feed_name_runs_in_the_popup(visitors: Visitors, city: Town) -> None:
    """A feed names a car park as a piece of a page: its page shows the letters, and nothing of it runs or is fetched."""
    about = {
        "kind": "site", "name": {"zh": EVIL, "en": EVIL}, "type": "surface", "operator": "op-demo", "counted_by": "spots",
        "tariff": "lot-day", "capacity": 5, "opening_hours": "24/7",
    }  # fmt: skip
    features = [{"type": "Feature", "id": "evil-1", "geometry": {"type": "Point", "coordinates": [113.9, 34.9]}, "properties": about}]
    file = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    await import_sites(city.run.city.database, file, bounds=Bounds(112.70, 34.26, 114.24, 34.99), now=datetime.now(UTC))

    for how in ({}, {"lang": "en", "wide": True}):
        visitor = await visitors(**how)
        await visitor.open("/sites/evil-1")
        await visitor.page.get_by_text(EVIL, exact=False).first.wait_for()
        assert await visitor.page.evaluate("window.ran") is None
        assert await visitor.page.locator("main img[src=x]").count() == 0
        assert visitor.complaints == [], "the policy had nothing to stop"
