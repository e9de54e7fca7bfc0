"""A phase of a benchmark in its own process, so that its peak memory is its own."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Phase:
    """The cost of a phase: seconds by step, processor seconds, and peak resident memory in MB."""

    seconds: dict[str, float]
    processor_seconds: float
    peak_mb: int

    @property
    def total(self) -> float:
        """The seconds of all steps."""
        return sum(self.seconds.values())


class Stopwatch:
    """Measures the seconds of consecutive steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """End the step that began at the last lap."""
        now = time.perf_counter()
        self.seconds[step] = now - self._last
        self._last = now


def in_child(steps: Callable[..., dict[str, float]], *arguments: Any) -> Phase:
    """Call `steps`, a module-level function that returns seconds by step, in a new process."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawning) as pool:
        return pool.submit(_measured, steps, arguments).result()


def _measured(steps: Callable[..., dict[str, float]], arguments: tuple[Any, ...]) -> Phase:
    began = time.process_time()
    seconds = steps(*arguments)
    processor_seconds = time.process_time() - began
    return Phase(seconds, processor_seconds, resident_mb("VmHWM"))


def resident_mb(what: str) -> int:
    """The resident memory of this process in MB, now (`VmRSS`) or at its peak (`VmHWM`); 0 except on Linux.

    `ru_maxrss` exists everywhere, but starts at the value of the parent: a process keeps it through exec.
    """
    if not _STATUS.exists():
        return 0
    (found,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(what))
    return int(found.split()[1]) // 1_000
