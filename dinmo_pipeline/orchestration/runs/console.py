"""What a run says on the console: to a person at a terminal, in sentences."""

import logging

import dagster as dg


@dg.logger(
    config_schema={
        "log_level": dg.Field(str, default_value="INFO"),
        "name": dg.Field(str, default_value="dagster"),
        "plain": dg.Field(bool, default_value=False),
    },
    description="Dagster's coloured console; `plain: true` shows sentences alone, and no errors.",
)
def console(context: dg.InitLoggerContext) -> logging.Logger:
    """Dagster's own console logger; a plain one for a caller who tells the reason of a failure himself.

    Of a failure Dagster says the stack of every frame it has; the run keeps that for the UI either way.
    """
    logger: logging.Logger = dg.colored_console_logger.logger_fn(context)
    if context.logger_config["plain"]:
        logger.addFilter(_is_no_error)
        for handler in logger.handlers:
            handler.setFormatter(_Sentence())
    return logger


def _is_no_error(record: logging.LogRecord) -> bool:
    return record.levelno < logging.ERROR


class _Sentence(logging.Formatter):
    """The message as it was logged, without the date, run and step that Dagster puts before it."""

    def format(self, record: logging.LogRecord) -> str:
        told: str = getattr(record, "dagster_meta")["orig_message"]  # noqa: B009  # Dagster's addition
        return told
