"""What waits for a person because a follower could not apply it."""

import click

from foundation import journal
from foundation.clock import rfc3339
from onelot.cli import connect, up
from onelot.cli.connect import Reached
from onelot.cli.errors import Failed
from onelot.cli.options import as_json, common, debugged, say, settings_of
from onelot.config import Misused


@click.group(invoke_without_command=True)
@common
@as_json
@debugged
@click.pass_context
def stuck(context: click.Context, /, as_json: bool, **flags: object) -> None:
    """What a follower could not apply, and what waits behind it. `stuck drop` and `stuck retry` end it."""
    if context.invoked_subcommand:
        if flags["data_dir"] is not None:  # It would be forgotten, and another city be asked.
            raise Misused(f"say --data behind the word: `onelot stuck {context.invoked_subcommand} … --data {flags['data_dir']}`")
        return

    async def work(city: Reached) -> list[dict[str, object]]:
        rows = await journal.stuck(city.database)
        names = ("follower", "position", "key", "kind", "error")
        return [{name: row[name] for name in names} | {"since": rfc3339(row["since"])} for row in rows]

    found = connect.run(settings_of(**flags), work)
    lines = [f"{one['follower']} #{one['position']} {one['kind']} {one['key']}: {one['error'] or 'waits'}" for one in found] or [
        "nothing is stuck"
    ]
    say({"items": found}, lines, as_json=as_json)


@stuck.command("drop")
@click.argument("follower")
@click.argument("position", type=int)
@common
@debugged
def stuck_drop(follower: str, position: int, **flags: object) -> None:
    """Give an entry up; then `stuck retry` what waited behind it."""

    async def work(city: Reached) -> bool:
        return await journal.drop_stuck(city.database, follower, position)

    if not connect.run(settings_of(**flags), work):
        raise Failed(f"{follower} has nothing stuck at {position}; `onelot stuck` lists what there is")
    click.echo("dropped")


@stuck.command("retry")
@click.argument("follower")
@click.argument("key")
@common
@debugged
def stuck_retry(follower: str, key: str, **flags: object) -> None:
    """Apply what waits for a key again, in order, all or nothing."""

    async def work(city: Reached) -> int:
        followers = {one.name: one for one in up.followers(city.keys, city.clock)}
        if follower not in followers:
            raise Misused(f"there is no follower {follower}; there are {', '.join(sorted(followers))}")
        return await journal.retry_stuck(city.database, followers[follower], key)

    click.echo(f"{connect.run(settings_of(**flags), work)} entries applied")
