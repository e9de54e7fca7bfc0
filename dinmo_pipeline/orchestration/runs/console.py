"""What a run prints on the console: for a person at a terminal, sentences."""

import logging

import dagster as dg

from dinmo_pipeline.text.wording import escaped


@dg.logger(
    config_schema={
        "log_level": dg.Field(str, default_value="INFO"),
        "name": dg.Field(str, default_value="dagster"),
        "plain": dg.Field(bool, default_value=False),
    },
    description="Dagster's coloured console; `plain: true` prints sentences only, and no errors.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's own console logger, or a plain one for a command that prints the reason of a failure itself.

    Dagster prints the whole stack of a failure; the run keeps that for the UI either way.
    """
    logger: logging.Logger = dg.colored_console_logger.logger_fn(context)
    if context.logger_config["plain"]:
        logger.addFilter(_below_error)
        for handler in logger.handlers:
            handler.setFormatter(_Sentence())
    return logger


def _below_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


class _Sentence(logging.Formatter):
    """The message as it was logged, without the date, run and step that Dagster puts before it."""

    def format(self, record: logging.LogRecord) -> str:
        message: str = getattr(record, "dagster_meta")["orig_message"]  # noqa: B009  # Dagster adds it
        return escaped(message)
