"""All of the pipeline's definitions, from a project's declarations."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Alerts, Destination, Project
from dinmo_pipeline.config.locating import REPORT_URL_VARIABLE
from dinmo_pipeline.orchestration.alerts.resource import AlertsResource, alerts_resource
from dinmo_pipeline.orchestration.alerts.sensor import build_alerts_sensor
from dinmo_pipeline.orchestration.assets import build_assets
from dinmo_pipeline.orchestration.audiences.check import build_audience_checks
from dinmo_pipeline.orchestration.audiences.specs import audience_specs
from dinmo_pipeline.orchestration.checks import all_check_keys
from dinmo_pipeline.orchestration.jobs import build_jobs
from dinmo_pipeline.orchestration.naming import (
    ALERTS,
    INTERCOM_TAGS,
    JOB_OPS,
    SOURCE,
    STATE,
    Names,
    activation_resource,
    alerts_resource_key,
    destination_resource,
    names_of,
)
from dinmo_pipeline.orchestration.reconcile import build_drift_check, build_reconcile_job
from dinmo_pipeline.orchestration.resources import (
    IntercomResource,
    SourceResource,
    StateResource,
    make_activation_resource,
)
from dinmo_pipeline.orchestration.schedules import build_schedules
from dinmo_pipeline.orchestration.sensors.history import build_history_sensor
from dinmo_pipeline.orchestration.sensors.retries import build_retries_sensors
from dinmo_pipeline.orchestration.sensors.staleness import build_staleness_check, build_staleness_sensor
from dinmo_pipeline.orchestration.sensors.tag_changes import build_sensor
from dinmo_pipeline.orchestration.sensors.upstream import build_upstream_sensors
from dinmo_pipeline.orchestration.specs import (
    SegmentActivationsTranslator,
    Specs,
    segment_assets,
    translated,
    with_upstream,
)


def build_definitions(
    project: Project,
    environment: Mapping[str, str],
    *,
    for_a_run: bool = False,
    fingerprint: str = "",
    other_assets: Iterable[dg.AssetSpec] | None = None,
    specs: Specs | None = None,
) -> dg.Definitions:
    """The definitions of a project; `environment` shows which secrets are set, `specs` how its assets show.

    `fingerprint` is the one of the declarations' files: the daemon records it, so that `dinmo status` can
    warn when the files have changed since.

    With `for_a_run`, what only the UI shows is left out: each resource of an activation would take part in
    the configuration of the run, at 1 ms of processor time. Among `other_assets`, those of the Dagster
    project, `upstream: auto` looks for the ones that fill the tables of segments.
    """
    project = with_upstream(project, other_assets)
    names = names_of(project)
    if specs is None:
        specs = translated(segment_assets(project), SegmentActivationsTranslator().get_asset_spec, names)
    partitions = dg.StaticPartitionsDefinition(project.declared_activations)
    enabled = {key: activation for key, activation in project.activations.items() if activation.enabled}
    destinations = {
        key: _destination(destination, environment) for key, destination in project.destinations.items()
    }
    alerts = {each: alerts_resource(each, environment) for each in project.all_alerts}
    keep_runs = project.history.keep_runs
    definitions = dg.Definitions(
        assets=build_assets(project, specs, destinations, partitions),
        jobs=[*build_jobs(names), build_reconcile_job(project, destinations, partitions)],
        schedules=list(build_schedules(names, project.activations.values())),
        sensors=[
            build_sensor(names, enabled, _state(project), project.broken_of("activation"), fingerprint),
            *build_retries_sensors(names, project.activations),
            build_staleness_sensor(project),
            *build_upstream_sensors(project),
            *([build_alerts_sensor(project, alerts)] if alerts else []),
            *(
                [build_history_sensor(names, keep_runs, all_check_keys(names), project.declared_activations)]
                if keep_runs
                else []
            ),
        ],
        asset_checks=[
            build_staleness_check(project, partitions),
            build_drift_check(project, destinations, partitions),
            *build_audience_checks(project),
        ],
        resources=_named(
            names, {**_resources(project, environment, destinations), **_alerts(project, alerts)}
        ),
    )
    if for_a_run:
        return definitions
    return _to_show(definitions, project, specs, report_url=environment.get(REPORT_URL_VARIABLE))


def _to_show(
    definitions: dg.Definitions, project: Project, specs: Specs, *, report_url: str | None
) -> dg.Definitions:
    """The definitions with an asset for each audience, and a resource with the settings of each activation.

    Dagster gives all resources to all jobs, and the launchpad shows the settings of each. So the jobs get the
    others first, and the state without its settings.
    """
    names = names_of(project)
    resources = definitions.resources or {}
    state = names.resource(STATE)
    bound = dg.Definitions(
        assets=definitions.assets,
        jobs=definitions.jobs,
        asset_checks=definitions.asset_checks,
        resources={**resources, state: resources[state].without_settings()},
    )
    return dg.Definitions(
        assets=[*(definitions.assets or ()), *audience_specs(project, specs[INTERCOM_TAGS], report_url)],
        jobs=[bound.resolve_job_def(names.of(job)) for job in JOB_OPS],
        schedules=definitions.schedules,
        sensors=definitions.sensors,
        asset_checks=definitions.asset_checks,
        resources={**resources, **_named(names, _activations(project))},
    )


def _resources(
    project: Project, environment: Mapping[str, str], destinations: Mapping[str, IntercomResource]
) -> dict[str, Any]:
    return {
        SOURCE: SourceResource(
            type=project.source.type,
            path=str(project.source.path or ""),
            uri=_secret(project.source.uri.name, environment) if project.source.uri else "",
            uri_variable=project.source.uri.name if project.source.uri else "",
            query_timeout_seconds=project.source.query_timeout.total_seconds(),
        ),
        STATE: _state(project),
        **{destination_resource(key): resource for key, resource in destinations.items()},
    }


def _state(project: Project) -> StateResource:
    return StateResource(database=project.state.database, folder=project.state.folder)


def _named(names: Names, resources: Mapping[str, Any]) -> dict[str, Any]:
    return {names.resource(key): resource for key, resource in resources.items()}


def _activations(project: Project) -> dict[str, dg.ResourceDefinition]:
    return {
        activation_resource(key): make_activation_resource(activation)
        for key, activation in project.activations.items()
    }


def _secret(variable: str, environment: Mapping[str, str]) -> str:
    """A secret by name, resolved in the run. One that is not set is empty, and reported when it is used.

    Dagster would otherwise refuse every run of every activation.
    """
    return dg.EnvVar(variable) if variable in environment else ""


def _destination(destination: Destination, environment: Mapping[str, str]) -> IntercomResource:
    return IntercomResource(
        destination=destination.key,
        access_token=_secret(destination.access_token.name, environment),
        access_token_variable=destination.access_token.name,
        region=destination.region,
        base_url=destination.base_url or "",
        api_version=destination.api_version,
        rate_limit_share=destination.rate_limit_share,
    )


def _alerts(project: Project, resources: Mapping[Alerts, AlertsResource]) -> dict[str, AlertsResource]:
    """The general alerts, and those of each destination that has its own."""
    general = {ALERTS: resources[project.alerts]} if project.alerts else {}
    own = {
        alerts_resource_key(key): resources[destination.alerts]
        for key, destination in project.destinations.items()
        if destination.alerts and destination.alerts != project.alerts
    }
    return {**general, **own}
