"""References to secrets: `{env: NAME}`, never the secret itself."""

from dinmo_pipeline.config.declarations import EnvironmentVariable
from dinmo_pipeline.config.strict_yaml.json_schemas import matching, needs, object_of
from dinmo_pipeline.config.strict_yaml.kinds import InvalidValueError, Kind
from dinmo_pipeline.config.strict_yaml.nodes import MapNode, Node, Scalar
from dinmo_pipeline.config.strict_yaml.report import is_reference

_NAME_DOC = "The name of an environment variable, set where the pipeline runs. Never the value."


def environment_variable(example: str) -> Kind[EnvironmentVariable]:
    """`{env: NAME}`; a literal value is refused without being shown."""
    fix = f"Write {{env: {example}}} and set that variable where the pipeline runs."

    def read(node: Node) -> EnvironmentVariable:
        if isinstance(node, MapNode):
            if is_reference(node):
                name = node.get("env")
                assert isinstance(name, Scalar)  # noqa: S101 - is_reference says so
                return EnvironmentVariable(name.text)
            raise InvalidValueError("must be {env: NAME}, NAME of letters, digits and '_'", hint=fix)
        if isinstance(node, Scalar) and node.kind == "null":
            raise InvalidValueError("must name an environment variable", hint=fix)
        raise InvalidValueError("is a secret and must not be written in the declarations", hint=fix)

    secret = f"This is a secret and must not be written here. {fix}"
    name = {**matching("^[A-Za-z_][A-Za-z0-9_]{0,199}$", fix, example), "description": _NAME_DOC}
    schema = object_of(
        {"env": name},
        rules=[needs("env", fix)],
        wrong_type=secret,
        unknown_key=f"Only `env` goes here. {fix}",
    )
    return Kind(read, schema)
