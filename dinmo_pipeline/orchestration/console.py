"""What a run says on the console: for a person at a terminal, without the stack of a failed step."""

import logging

import dagster as dg


@dg.logger(
    config_schema={
        "log_level": dg.Field(str, default_value="INFO"),
        "name": dg.Field(str, default_value="dagster"),
        "failures": dg.Field(bool, default_value=True),
    },
    description="Dagster's coloured console; `failures: false` leaves out what Dagster says of failed steps.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's own console logger. A caller who tells the reason of a failure himself turns `failures` off.

    What Dagster says of one is the stack of every frame it has; the run keeps it for the UI either way.
    """
    logger: logging.Logger = dg.colored_console_logger.logger_fn(context)
    if not context.logger_config["failures"]:
        logger.addFilter(_is_no_failure)
    return logger


def _is_no_failure(record: logging.LogRecord) -> bool:
    event = getattr(record, "dagster_event", None)
    return event is None or not event.is_failure
