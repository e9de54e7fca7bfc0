"""Work on a source that can be stopped: by Ctrl-C, by SIGTERM or the UI, and by the source's time limit.

A driver's call does not return to Python before the server answers, so a signal that arrives meanwhile is not
handled. The call is made in a thread, and the caller's thread waits for it, where signals are handled.
"""

import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

from dinmo_pipeline.segments.errors import TimeLimitError

_SECONDS_TO_STOP = 1.5
_SECONDS_BETWEEN_STOPS = 0.1

Made = TypeVar("Made")

_is_stoppable: contextvars.ContextVar[bool] = contextvars.ContextVar("_is_stoppable", default=False)


class Stoppable:
    """Runs the work of one source; `stop` ends what the source is doing, from another thread.

    `stop` is called repeatedly until the work has ended, since the first call may come before the statement
    begins.
    """

    def __init__(self, stop: Callable[[], object], timeout_seconds: float | None = None) -> None:
        self._stop = stop
        self._timeout_seconds = timeout_seconds
        self._is_abandoned = False

    @property
    def is_abandoned(self) -> bool:
        """Whether work did not end when it was stopped: its connection is in use and cannot be closed."""
        return self._is_abandoned

    def run(self, work: Callable[[], Made], also_stop: Callable[[], object] = lambda: None) -> Made:
        """Run the work in a thread and return its result; work inside of it runs in the same thread.

        `also_stop` ends what the work does outside of the source.

        Raises:
            TimeLimitError: the work takes longer than the source's time limit.
            Exception: what the work raises.
            BaseException: what interrupts the caller (KeyboardInterrupt); the work is stopped first.
        """
        if _is_stoppable.get():
            return work()
        made: list[Made] = []
        failed: list[BaseException] = []
        # Not the thread itself: an interrupt marks a thread that is waited for as ended (bpo-45274).
        ended = threading.Event()

        def in_thread() -> None:
            _is_stoppable.set(True)
            try:
                made.append(work())
            except BaseException as error:  # noqa: BLE001  # raised in the caller's thread
                failed.append(error)
            finally:
                ended.set()

        # A daemon, so that work which cannot be stopped does not keep the process.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(in_thread,), daemon=True)
        try:
            thread.start()
            is_in_time = ended.wait(self._timeout_seconds)
        except BaseException:
            self._end(ended, also_stop)
            raise
        if self._timeout_seconds is not None and not is_in_time:
            self._end(ended, also_stop)
            raise TimeLimitError(self._timeout_seconds)
        if failed:
            raise failed[0]
        return made[0]

    def _end(self, ended: threading.Event, also_stop: Callable[[], object]) -> None:
        """Stop the work, and wait for it for a moment."""
        self._is_abandoned = True  # also if another interrupt ends the wait

        def stop_until_it_ends() -> None:
            while not ended.is_set():
                self._stop()
                also_stop()
                ended.wait(_SECONDS_BETWEEN_STOPS)

        # In a thread, since a driver may have to reach a server that is gone to cancel a statement.
        threading.Thread(target=stop_until_it_ends, daemon=True).start()
        self._is_abandoned = not ended.wait(_SECONDS_TO_STOP)
