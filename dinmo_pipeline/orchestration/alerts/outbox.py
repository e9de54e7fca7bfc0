"""Messages on their way: each goes to every channel of its destination, and is kept for one that fails.

A channel that fails does not keep a message from the others, and they do not get it twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.alerts.resource import Channel
from dinmo_pipeline.orchestration.alerts.troubles import as_message, as_title

# More news than this are not kept for a channel that fails: the newest stay.
MAX_KEPT = 100

News = Mapping[str, Sequence[str]]
"""By the name of a channel: what is to be sent, oldest first."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is still to be sent, by channel, and why."""

    undelivered: News
    failures: Sequence[str]


def deliver(news: Iterable[tuple[Channel, Sequence[str]]], undelivered: News) -> Delivery:
    """Send what is new, and what earlier ticks could not send, as one message for each channel.

    Raises:
        AlertError: no channel took its message.
    """
    channels: dict[str, Channel] = {}
    waiting: dict[str, list[str]] = {}
    for channel, new in news:
        channels[channel.name] = channel
        kept = waiting.setdefault(channel.name, list(undelivered.get(channel.name, ())))
        kept += new
    failed: dict[str, str] = {}
    sent = 0
    for name, lines in waiting.items():
        if not lines:
            continue
        try:
            channels[name].send(as_title(lines), as_message(lines))
        except AlertError as error:
            failed[name] = str(error)
        else:
            sent += 1
    if failed and not sent:
        raise AlertError("\n".join(failed.values()))
    return Delivery({name: waiting[name][-MAX_KEPT:] for name in failed}, list(failed.values()))
