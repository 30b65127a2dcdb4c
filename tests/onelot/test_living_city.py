"""The demo's city is drawn while its platform starts."""

from dataclasses import replace
from pathlib import Path

import pytest

from onelot.cli import living_city, simulate
from onelot.cli.living_city import Drawing
from onelot.config import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return replace(Settings(), data_dir=tmp_path / "data")


async def test_the_city_is_drawn_beside_the_start_and_kept_where_the_traffic_looks_for_it(settings: Settings) -> None:
    drawing, again = Drawing(settings, 1, 300), Drawing(settings, 1, 300)
    async with drawing.going():
        assert list(settings.data_dir.iterdir()) == []  # It is not ours before the platform has claimed it.
        await drawing.kept()
    async with again.going():
        await again.kept()

    assert simulate.reference_city(settings, 1, 300).read_text().count('"kind":"spot"') == 300
    assert [file.name for file in (settings.data_dir / simulate.PLACE).iterdir()] == ["city-1-300.geojson"]


async def test_a_start_that_ends_early_waits_for_no_drawing_and_one_that_fails_is_left_to_the_traffic(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Drawing(settings, 1, 300).going():
        pass

    async def fails(*_: object) -> None:
        raise living_city.Failed("there is no room on the disk")

    monkeypatch.setattr(living_city, "draw_city", fails)
    drawing = Drawing(settings, 1, 300)
    async with drawing.going():
        await drawing.kept()

    assert list(settings.data_dir.iterdir()) == []
