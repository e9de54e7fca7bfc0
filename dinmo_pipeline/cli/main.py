"""The command group; every expected error becomes a message and an exit code."""

import signal
import sys
from collections.abc import Sequence

import click

from dinmo_pipeline.cli.commands.declaring.check import check
from dinmo_pipeline.cli.commands.declaring.dbt import dbt
from dinmo_pipeline.cli.commands.declaring.init import init
from dinmo_pipeline.cli.commands.declaring.schema import schema
from dinmo_pipeline.cli.commands.declaring.segments import segments
from dinmo_pipeline.cli.commands.declaring.test import test
from dinmo_pipeline.cli.commands.looking.explain import explain
from dinmo_pipeline.cli.commands.looking.history import history
from dinmo_pipeline.cli.commands.looking.report import write_report
from dinmo_pipeline.cli.commands.looking.status import status
from dinmo_pipeline.cli.commands.looking.who import who
from dinmo_pipeline.cli.commands.running.alerts import alerts
from dinmo_pipeline.cli.commands.running.backup import backup
from dinmo_pipeline.cli.commands.running.clean import clean
from dinmo_pipeline.cli.commands.running.demo import demo
from dinmo_pipeline.cli.commands.running.dev import dev
from dinmo_pipeline.cli.commands.running.doctor import doctor
from dinmo_pipeline.cli.commands.running.emulator import emulator
from dinmo_pipeline.cli.commands.running.move_state import move_state
from dinmo_pipeline.cli.commands.syncing.forget import forget
from dinmo_pipeline.cli.commands.syncing.pause import pause, resume
from dinmo_pipeline.cli.commands.syncing.plan import plan
from dinmo_pipeline.cli.commands.syncing.reconcile import reconcile
from dinmo_pipeline.cli.commands.syncing.retire import retire
from dinmo_pipeline.cli.commands.syncing.sync import sync
from dinmo_pipeline.cli.exit_codes import FAILED, message_and_code
from dinmo_pipeline.cli.messages import report

_SECTIONS = {"declaring": "Declare", "syncing": "Sync", "looking": "Look", "running": "Run"}


class _Commands(click.Group):
    """The commands by what they are for, each with its whole summary: click cuts it to a line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write a section for each folder of commands."""
        for folder, title in _SECTIONS.items():
            named = [
                (name, _summary(command))
                for name, command in self.commands.items()
                if f".{folder}." in getattr(command.callback, "__module__", "")
            ]
            if named:
                with formatter.section(title):
                    formatter.write_dl(named)


def _summary(command: click.Command) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join((command.help or "").strip().split("\n\n")[0].split())


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage or declarations, 3 held or drift.",
)
@click.version_option(package_name="dinmo-pipeline")
def dinmo() -> None:
    """Keep a tag in Intercom in sync with each segment of the users in your warehouse.

    Declarations are read from $DINMO_CONFIG, else from dinmo.yaml, dinmo/ or declarations/ in this folder or
    above it in the repository. `dinmo init` makes some. To complete commands and activations in your shell:
    eval "$(_DINMO_COMPLETE=bash_source dinmo)", or zsh_source, or fish_source.
    """


for command in (
    *(init, check, segments, test, plan, sync, status, reconcile, retire, forget, pause, resume),
    *(
        who,
        history,
        write_report,
        explain,
        alerts,
        backup,
        clean,
        move_state,
        schema,
        dbt,
        dev,
        doctor,
        emulator,
        demo,
    ),
):
    for each in (command, *getattr(command, "commands", {}).values()):
        # Click keeps the lines of a paragraph after this character, which the raw docstrings spell out.
        each.help = (each.help or "").replace("\\b\n", "\b\n")
    dinmo.add_command(command)


_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
# What becomes of what an interrupted command has left; the others change nothing, or do it in one step.
_REST = {
    "sync": " The next sync will finish the rest.",
    "reconcile": " Run it again to compare and repair the rest.",
    **dict.fromkeys(("retire", "forget", "clean"), " Run it again to finish the rest."),
}


def _command_of(arguments: Sequence[str] | None) -> str:
    words = sys.argv[1:] if arguments is None else arguments
    return next((word for word in words if word in dinmo.commands), "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit with its code. Only an unexpected error becomes a traceback.

    SIGTERM interrupts a command as Ctrl-C does, so that no query of it goes on in the warehouse.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = dinmo.main(arguments, prog_name="dinmo", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        report(f"Interrupted.{_REST.get(_command_of(arguments), '')}")
        code = _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        sys.stderr.close()
        code = FAILED
    except Exception as error:
        expected = message_and_code(error)
        if expected is None:
            raise
        message, code = expected
        report(message)
    sys.exit(code if isinstance(code, int) else 0)
