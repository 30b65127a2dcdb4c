"""Every spelling of a plate is one vehicle, and every form that Chinese plates have is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import plates

SIGN = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
signs = st.sampled_from(SIGN)
heads = st.builds(
    lambda province, letter: province + letter, st.sampled_from(plates.PROVINCES), st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ")
)
classes = st.sampled_from("DABCEFGHJK")
digits = st.sampled_from("0123456789")


def run_of(glyphs: st.SearchStrategy[str], length: int) -> st.SearchStrategy[str]:
    return st.text(glyphs, min_size=length, max_size=length)


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


small = joined(heads, classes, signs, run_of(digits, 4))
large = joined(heads, run_of(digits, 5), classes)
forms = st.one_of(
    joined(heads, run_of(signs, 5)),
    small,
    large,
    joined(heads, run_of(signs, 4), st.sampled_from("警学挂港澳使领")),
    joined(run_of(digits, 6), st.just("使")),
    joined(st.just("WJ"), st.sampled_from(plates.PROVINCES), run_of(digits, 5)),
    joined(st.sampled_from("VKHBSLJNGCE"), st.sampled_from("ABCDK"), run_of(digits, 5)),
)


@given(st.text(max_size=40))
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    once = plates.normal_plate(text)

    assert plates.normal_plate(once) == once


@given(forms)
def test_every_form_that_plates_have_is_taken_as_it_is(text: str) -> None:
    assert plates.normal_plate(text) == text
    assert plates.plate_fault(text, plates.usual_colour(text)) is None


@given(forms, st.data())
def test_width_case_dots_and_blanks_carry_no_meaning(text: str, data: st.DataObject) -> None:
    wide = str.maketrans({glyph: chr(ord(glyph) + 0xFEE0) for glyph in SIGN})
    spelt = "".join(
        data.draw(st.sampled_from([glyph, glyph.lower(), glyph.translate(wide)]))
        + data.draw(st.sampled_from(["", " ", "·", "・", "\u3000", "."]))
        for glyph in text
    )

    assert plates.normal_plate(spelt) == text


def test_letter_o_full_width_and_dots() -> None:
    spellings = ["豫A80112", "豫A8O112", "豫a80112", "豫Ａ８０１１２", " 豫A·80 112 ", "豫A・8o112"]

    assert {plates.plate_of(text, "blue").key for text in spellings} == {("豫A80112", "blue")}
    assert plates.normal_plate("京O8OI12") == "京O80112", "the issuing letter is not changed"


@pytest.mark.parametrize(
    ("text", "colour", "fault"),
    [
        ("豫A1234", None, "plate_format"),
        ("豫A123456", "blue", "plate_format"),
        ("豫AL12345", "green", "plate_format"),  # L is no class letter.
        ("豫I12345", "blue", "plate_format"),
        ("A12345豫", "blue", "plate_format"),
        ("", None, "plate_format"),
        ("豫A12345", "purple", "plate_colour"),
        ("豫A12345", "green", "plate_colour"),
        ("豫AD12345", "blue", "plate_colour"),
        ("豫A12345D", "green", "plate_colour"),
        ("粤BA12345", "green", None),  # Shenzhen already uses A.
        ("豫A12345K", "yellow_green", None),
        ("豫A1234挂", "yellow", None),
        ("豫A12345", "yellow", None),
    ],
)
def test_a_plate_that_no_vehicle_carries_is_named_by_its_fault(text: str, colour: str | None, fault: str | None) -> None:
    assert plates.plate_fault(text, colour) == fault


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("豫A12345", "blue"),
        ("豫AD12345", "green"),
        ("豫A12345F", "yellow_green"),
        ("豫A1234警", "white"),
        ("粤Z1234港", "black"),
        ("豫A1234挂", "yellow"),
    ],
)
def test_a_colour_that_nobody_says_follows_from_the_form(text: str, colour: str) -> None:
    assert plates.plate_of(text).colour == colour


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("豫A8B012", "豫A88012", True),
        ("豫A8B012", "豫AB8012", False),  # Two glyphs: another car.
        ("豫A12345", "豫A12345", False),
        ("豫A12345", "豫A1234S", True),
        ("豫A12345", "豫A12346", False),
        ("豫AD12345", "豫A12345", False),
        ("豫A0D345", "豫A0Q345", True),
    ],
)
def test_near_plates_differ_in_one_glyph_that_is_usually_confused(one: str, other: str, near: bool) -> None:
    assert plates.near_plates(one, other) is near
    assert plates.near_plates(other, one) is near
