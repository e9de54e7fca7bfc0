"""The activations that one run works on: those that its configuration names, or its partition.

Dagster takes seconds of processor time to start a run, and a fraction of one to log what became of an
activation. So those of a destination that are due together share a run, which logs events for the partition
of each. One that fails neither stops nor hides the others.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.config.strict_yaml.problems import Problem
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.errors import FAILED, Failed, failed_by
from dinmo_pipeline.state.errors import ActivationHeldError
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.text.wording import counted

DESTINATION_TAG = "dinmo/destination"
ACTIVATIONS_TAG = "dinmo/activations"
SEGMENTS_TAG = "dinmo/segments"
HELD_TAG = "dinmo/held"
DECISIONS = {
    "allow_large_removal": "Apply even if a guard would hold the changes because many would lose the tag.",
    "allow_large_growth": "Apply even if a guard would hold the changes because the segment grew so much.",
}
"""What a person may decide for one run of `apply_tag_changes`, in the launchpad."""
_MAX_NAMES = 5
# So many failures in a row that may pass, of Intercom or the source, mean that the others would fail as well.
_MAX_TRANSIENT_IN_A_ROW = 3
_PARTITION_TAG = "dagster/partition"


class BatchConfig(dg.Config):
    """Which activations a run works on."""

    activations: list[str] | None = Field(
        default=None,
        description="The activations of a batch, by key. Without any, that of the run's partition.",
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What a schedule, a sensor or a command starts: one run of a job for activations of a destination.

    `config` is that of the job's op, without its activations.
    """

    names: Names
    job: str
    destination: str
    activations: Sequence[str]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def partition_key(self) -> str:
        """The partition of the first one, which Dagster takes for the partition of the run.

        Without one, Dagster 1.13 cannot say which partitions of upstream assets the run depends on.
        """
        return self.activations[0]

    @property
    def ops(self) -> dict[str, Any]:
        """The configuration of the job's op."""
        named = {"activations": list(self.activations)} if len(self.activations) > 1 else {}
        config = {**self.config, **named}
        return {self.names.op(self.job): {"config": config}} if config else {}

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its run, which show a batch of several for what it is."""
        several = {ACTIVATIONS_TAG: listed(self.activations)} if len(self.activations) > 1 else {}
        return {DESTINATION_TAG: self.destination, **several}

    def request(self, run_key: str, tags: Mapping[str, str] | None = None) -> dg.RunRequest:
        """The request for its run, with more tags."""
        return dg.RunRequest(
            run_key=run_key,
            partition_key=self.partition_key,
            run_config={"ops": self.ops} if self.ops else {},
            tags={**self.tags, **(tags or {})},
        )


def batches(
    names: Names, job: str, activations: Iterable[Activation], config: Mapping[str, Any] | None = None
) -> list[Batch]:
    """The runs for some activations: one for each destination."""
    keys: dict[str, list[str]] = {}
    for activation in activations:
        keys.setdefault(activation.destination, []).append(activation.key)
    return [Batch(names, job, destination, each, config or {}) for destination, each in keys.items()]


def run_tags(activations: Iterable[Activation]) -> dict[str, str]:
    """The tags that say what a run works on, at most a few names each."""
    values = [(each.destination, each.key, each.segment) for each in activations]
    tags = (DESTINATION_TAG, ACTIVATIONS_TAG, SEGMENTS_TAG)
    return {
        tag: listed(list(dict.fromkeys(column)))
        for tag, column in zip(tags, zip(*values, strict=True), strict=False)
    }


def listed(activations: Sequence[str]) -> str:
    """The first of some activations, and how many more: `a, b, c, d, e and 3 others`."""
    more = len(activations) - _MAX_NAMES
    named = ", ".join(activations[:_MAX_NAMES])
    return f"{named} and {counted(more, 'other')}" if more > 0 else named


def activations_of(names: Names, run: dg.DagsterRun) -> list[str]:
    """The activations that a run works on, as far as it says."""
    named = _config_of(names, run).get("activations", ())
    partition = run.tags.get(_PARTITION_TAG)
    return list(named) or ([partition] if partition else [])


def config_of(names: Names, run: dg.DagsterRun) -> dict[str, Any]:
    """The configuration of a run's op, without its activations."""
    return {key: value for key, value in _config_of(names, run).items() if key != "activations"}


def _config_of(names: Names, run: dg.DagsterRun) -> Mapping[str, Any]:
    job = names.job_of(run)
    ops: Any = run.run_config.get("ops", {}) if job else {}
    config: Mapping[str, Any] = ops.get(names.op(job), {}).get("config", {}) if job else {}
    return config


def activations_in(context: Any, project: Project, config: BatchConfig) -> list[Activation]:
    """The activations that a run works on, of those that are declared and can be used.

    Raises:
        dg.Failure: none is declared.
    """
    keys = keys_in(context, config)
    if not keys:
        raise dg.Failure(
            "Choose the partition of an activation, or name some in the configuration: `ops: … config:"
            " activations: [KEY, …]`.",
            allow_retries=False,
        )
    broken = project.broken_of("activation")
    for key in keys:
        if key not in project.activations and key not in broken:
            context.log.warning("%s: no such activation is declared, so nothing is done about it.", key)
    known = [key for key in keys if key in project.activations]
    if not known and broken.keys().isdisjoint(keys):
        raise dg.Failure("None of the run's activations is declared.", allow_retries=False)
    return [project.activations[key] for key in known]


def broken_in(context: Any, project: Project, config: BatchConfig) -> dict[str, Failed]:
    """Those of a run's activations that cannot be used as they are declared, and why."""
    broken = project.broken_of("activation")
    return {key: broken_as_declared(broken[key]) for key in keys_in(context, config) if key in broken}


def broken_as_declared(problems: Sequence[Problem]) -> Failed:
    """Why an activation with problems in its declarations fails."""
    return Failed(f"failed. {sentence_about(problems)}", is_transient=False)


def sentence_about(problems: Sequence[Problem]) -> str:
    """The first problem of a broken activation, and how many more there are."""
    more = f" (and {counted(len(problems) - 1, 'more problem')})" if len(problems) > 1 else ""
    return f"Its declarations cannot be used: {problems[0]}{more} `dinmo check` shows all."


def keys_in(context: Any, config: BatchConfig) -> list[str]:
    """The keys of the activations that a run works on, whether they are declared or not."""
    keys = config.activations or ([context.partition_key] if context.has_partition_key else [])
    return list(dict.fromkeys(keys))


def failure_of(failures: Mapping[str, Failed], total: int) -> dg.Failure:
    """The end of a run of so many activations: the reasons in words, and by activation in its metadata."""
    lines = [f"{key}: {failed.summary}" for key, failed in failures.items()]
    if total > 1:
        lines.insert(0, f"{len(failures):,} of {counted(total, 'activation')} failed.")
    by_activation = {key: asdict(failed) for key, failed in failures.items()}
    return dg.Failure(
        "\n".join(lines), metadata={FAILED: dg.MetadataValue.json(by_activation)}, allow_retries=False
    )


Events = Generator[Any, None, Failed | None]
"""The events of the work on an activation, and why it failed."""


class Work:
    """The work of a run on its activations, one after another, and what failed of it.

    `broken` are those that failed before it began.
    """

    def __init__(
        self,
        context: Any,
        activations: Sequence[Activation],
        locks: Path,
        broken: Mapping[str, Failed],
    ) -> None:
        self._context = context
        self._activations = activations
        self._locks = locks
        self._failures: dict[str, Failed] = dict(broken)
        self._total = len(activations) + len(broken)
        for key, failed in broken.items():
            context.log.error("%s: %s", key, failed.summary)

    def each(
        self,
        work: Callable[[Activation], Events],
        *,
        on_failure: Callable[[Activation, Failed], Iterable[Any]] = lambda _activation, _failed: (),
        first: Callable[[Activation], Any] | None = None,
    ) -> Iterator[Any]:
        """Work on each activation that has not failed, under its lock; `first` sorts them.

        Those that another run is working on come last. Yields the events of each as they occur, for Dagster
        would lose what it has not been given when a run ends as failed.
        """
        waiting = [each for each in self._activations if each.key not in self._failures]
        if first:
            waiting.sort(key=first)
        in_a_row = 0
        for is_last_turn in (False, True):
            busy = []
            for activation in waiting:
                failed: Failed | None = None
                if in_a_row >= _MAX_TRANSIENT_IN_A_ROW:
                    failed = self._not_tried()
                else:
                    try:
                        failed = yield from self._locked(activation, work, wait=is_last_turn)
                    except _BusyError:
                        busy.append(activation)
                        continue
                    in_a_row = in_a_row + 1 if failed and failed.is_transient else 0
                if failed:
                    self._failures[activation.key] = failed
                    self._context.log.error("%s: %s", activation.key, failed.summary)
                    yield from on_failure(activation, failed)
            waiting = busy

    def raise_failures(self) -> None:
        """End the run as failed if an activation failed.

        Raises:
            dg.Failure: the reasons in words, and by activation in its metadata.
        """
        if self._failures:
            raise failure_of(self._failures, self._total)

    def _locked(self, activation: Activation, work: Callable[[Activation], Events], *, wait: bool) -> Events:
        waiting: dict[str, Any] = {} if wait else {"wait_seconds": 0.0}
        on_wait = self._context.log.warning if wait else _say_nothing
        is_held = False
        try:
            with activation_lock(self._locks, activation.key, on_wait=on_wait, **waiting):
                is_held = True
                return (yield from work(activation))
        except ActivationHeldError as error:
            if not (wait or is_held):
                raise _BusyError from error
            return failed_by(error)
        except Exception as error:  # whatever it is, the others go on
            failed = failed_by(error)
            if not failed.is_ours:
                self._context.log.exception("%s: an error that nobody thought of.", activation.key)
            return failed

    def _not_tried(self) -> Failed:
        *_, last = self._failures.values()
        summary = f"failed. Not tried, since {_MAX_TRANSIENT_IN_A_ROW} others in a row failed. {last.reason}"
        return Failed(summary, is_transient=True)


class _BusyError(Exception):
    """Another run is working on the activation."""


def _say_nothing(_message: str) -> None:
    pass
