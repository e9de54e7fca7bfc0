"""Keeps a budget: in the process, or in a file that all processes of a machine share."""

import fcntl
import os
import struct
import threading
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Protocol, TypeVar

from dinmo_pipeline.intercom.errors import ConfigurationError
from dinmo_pipeline.intercom.pacing.budget import Budget
from dinmo_pipeline.intercom.pacing.rate_headers import MAX_LIMIT

T = TypeVar("T")
Step = Callable[[Budget], tuple[Budget, T]]

_MAX_CALLS = 2**62
# limit, next_at, closed_until, taken, reported_call, reported_remaining, reported_until
_FORMAT = struct.Struct("<qddqqqd")


class BudgetKeeper(Protocol):
    """Keeps one budget, and lets one caller at a time change it."""

    def change(self, step: Step[T]) -> T:
        """Replace the budget by the first result of `step`, and return the second."""


class OwnBudget:
    """A budget shared by the threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._budget = Budget()

    def change(self, step: Step[T]) -> T:
        """See BudgetKeeper."""
        with self._lock:
            self._budget, result = step(self._budget)
            return result


class BudgetFile:
    """A budget shared by all threads and processes that use the same file.

    The operating system locks the file for microseconds (measured: 3; the filelock package takes 80, and
    sleeps when it has to wait). It frees the lock when a process ends, however it ends.

    Raises:
        ConfigurationError: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from error

    def change(self, step: Step[T]) -> T:
        """See BudgetKeeper."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            budget, result = step(_unpacked(os.pread(descriptor, _FORMAT.size, 0)))
            os.pwrite(descriptor, _FORMAT.pack(*budget), 0)
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            os.close(descriptor)
        return result

    def _unusable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"The call budget cannot be shared through {self._path}: {error.strerror}. Make its folder"
            " writable for the user of this process."
        )


def keeper(shared: Path | None) -> BudgetKeeper:
    """A keeper of the budget: of this process alone, or shared through a file."""
    return BudgetFile(shared) if shared else OwnBudget()


def _unpacked(data: bytes) -> Budget:
    """The stored budget; a new one if the file is new or damaged."""
    if len(data) != _FORMAT.size:
        return Budget()
    budget = Budget(*_FORMAT.unpack(data))
    is_valid = (
        all(map(isfinite, budget))
        and 1 <= budget.limit <= MAX_LIMIT
        and 0 <= budget.reported_remaining <= budget.limit
        and 0 <= budget.reported_call <= budget.taken < _MAX_CALLS
    )
    return budget if is_valid else Budget()
