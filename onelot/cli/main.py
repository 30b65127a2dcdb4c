"""The commands of `onelot` by name. Each is imported when it is typed, so that help does not wait for what a city needs."""

import importlib
from collections.abc import Mapping

import click

IN = "onelot.cli.commands."
COMMANDS: Mapping[str, tuple[str, str]] = {  # Name -> file: function, and the line that help shows of it.
    "demo": ("cities:demo_command", "Run the platform, the reference city and its traffic."),
    "up": ("cities:up_command", "Run the platform alone, until Ctrl-C."),
    "run": ("cities:run_command", "Run one part as a process of its own, against servers given by URLs."),
    "import": (
        "import_file:import_command",
        "Bring in sites and spots of our GeoJSON, ParkAPI GeoJSON or a table with --map; what is refused is listed by row.",
    ),
    "simulate": (
        "traffic:simulate_command",
        "Send simulated traffic to the running city, or to one of its own; hold the truth against it at the end.",
    ),
    "devices": ("devices:devices", "Cameras, gates and counters."),
    "refused": ("devices:refused", "Messages and readings that were acknowledged and not taken, newest first."),
    "tariff": ("tariffs:tariff", "Tariffs: check, publish, correct, price."),
    "matter": ("matters:matter", "Matters of the city's services: new, check, test, publish."),
    "people": ("people:people", "People and their roles."),
    "stuck": ("stuck:stuck", "What a follower could not apply, and what waits behind it."),
    "doctor": ("upkeep:doctor_command", "Say what is wrong and what to do."),
    "backup": ("upkeep:backup_command", "Database and keys of the running city into one file, readable by its owner only."),
    "restore": ("upkeep:restore_command", "Bring a backup into a new data directory; then start the city there."),
    "bench": ("upkeep:bench_command", "Measure against peers in the same run, and print the table."),
    "outbox": ("outside:outbox", "Messages that the simulated phone provider holds for a number."),
    "registry": ("outside:registry", "What the simulated registers know of a plate or of a number."),
    "counter": ("outside:counter", "A clerk at a simulated counter sees whoever holds this phone, and gives her a code for half an hour."),
    "department": ("outside:department", "Turn a simulated department's fault knob."),
}


class Late(click.Group):
    """A group whose commands are imported by their names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        file, _, function = COMMANDS[cmd_name][0].partition(":")
        found = getattr(importlib.import_module(IN + file), function)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Late, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("0.1.0", prog_name="onelot")
def onelot() -> None:
    """A whole city as one parking lot, and one login for every city service."""


def commands() -> dict[str, click.Command]:
    """All of them, imported: for whoever proves that they are there."""
    return {name: command for name in COMMANDS if (command := onelot.get_command(None, name)) is not None}
