"""What the simulated providers hold, and their fault knobs."""

import json

import click

from onelot.cli import connect
from onelot.cli.options import as_json, common, debugged, say, settings_of
from onelot.config import Misused
from simulators import departments, population


@click.command("outbox")
@click.option("--phone", required=True)
@common
@as_json
@debugged
def outbox(phone: str, as_json: bool, **flags: object) -> None:
    """Messages that the simulated phone provider holds for a number."""
    doors = connect.load_doors(settings_of(**flags))
    found = connect.ask(doors.phones_url, doors.phones_key, "GET", "/outbox", query={"phone": phone})
    say(found, [json.dumps(one, ensure_ascii=False) for one in found["items"]], as_json=as_json)


@click.command("registry")
@click.option("--plate")
@click.option("--phone")
@as_json
@debugged
def registry(plate: str | None, phone: str | None, as_json: bool, **_: object) -> None:
    """What the simulated registers know of a plate or of a number. A made-up population, the same for the same number."""
    if (plate is None) == (phone is None):
        raise Misused("say either --plate P or --phone N")
    answer = population.card_of_plate(plate) if plate is not None else population.card_of_phone(phone or "")
    say(answer, [f"{name}: {value}" for name, value in answer.items()], as_json=as_json)


@click.command("counter")
@click.option("--phone", required=True)
@common
@as_json
@debugged
def counter(phone: str, as_json: bool, **flags: object) -> None:
    """A clerk at a simulated counter sees whoever holds this phone, and gives her a code for half an hour."""
    doors = connect.load_doors(settings_of(**flags))
    found = connect.ask(doors.departments_url, doors.departments_key, "POST", "/counter/v1/visits", body={"phone": phone})
    say(found, [str(found["code"])], as_json=as_json)


@click.command("department")
@click.argument("name", type=click.Choice(departments.NAMES))
@click.argument("state", type=click.Choice(departments.STATES))
@common
@debugged
def department(name: str, state: str, **flags: object) -> None:
    """Turn a simulated department's fault knob."""
    doors = connect.load_doors(settings_of(**flags))
    connect.ask(doors.departments_url, doors.departments_key, "PUT", f"/control/{name}", body={"state": state})
    click.echo(f"{name} is {state}")
