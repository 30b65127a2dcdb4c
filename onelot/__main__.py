"""The command line. Wrong use is one sentence and status 2, a failure of ours or of a server one sentence and status 1."""

import importlib
import sys

import click

from foundation import logs
from onelot.cli import main as cli


def main() -> None:
    """Run a command; a traceback only with --debug."""
    logs.set_up(quiet=True)  # Standard output is the answer's; a city that is run sets up more.
    try:
        cli.onelot.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message())
    except click.UsageError as error:
        _say(error.format_message(), 2)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        _say(*importlib.import_module("onelot.cli.errors").sentence_of(error))  # It knows every house: not for help's sake.


def _say(sentence: str, status: int) -> None:
    click.echo(f"onelot: {' '.join(sentence.split())}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
