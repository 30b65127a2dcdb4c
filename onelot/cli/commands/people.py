"""People and what they may do."""

import click

from onelot.cli import connect
from onelot.cli.connect import Reached
from onelot.cli.options import common, debugged, settings_of
from onelot.config import Misused
from services.identity.grant_role import grant_role


@click.group()
def people() -> None:
    """People and their roles."""


@people.command("grant")
@click.argument("phone")
@click.argument("role", type=click.Choice(["operator", "staff", "admin"]))
@click.option("--operator", help="The operator, for the role operator.")
@click.option("--agency", help="The agency, for the role staff.")
@common
@debugged
def people_grant(phone: str, role: str, operator: str | None, agency: str | None, **flags: object) -> None:
    """Give a person a role, for everything or for one operator or agency."""
    scope = {"operator": operator, "staff": agency, "admin": ""}[role]
    if scope is None:
        raise Misused(f"the role {role} needs {'--operator OP' if role == 'operator' else '--agency AG'}")

    async def work(city: Reached) -> object:
        return await grant_role(city.database, city.keys, phone=phone, role=role, scope=scope, now=city.clock.wall())

    connect.run(settings_of(**flags), work)
    click.echo(f"granted: {role}{' of ' + scope if scope else ''}")
