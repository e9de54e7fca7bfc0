"""Intercom's official OpenAPI description, as JSON Schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[2] / "../shared/intercom"


@dataclass
class Contract:
    """The description of one API version."""

    document: dict[str, Any]

    def check_request(self, method: str, template: str, body: Any, branch: str | None = None):
        """Fail unless the description allows a body.

        Args:
            method: The HTTP method.
            template: The path, as in the description.
            body: The JSON to send.
            branch: Which of several schemas to use. For `POST /tags`, most bodies match two schemas of
                its `oneOf`, so that even the official examples are invalid.
        """
        operation = self.document["paths"][template][method.lower()]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        self._check({"$ref": f"#/components/schemas/{branch}"} if branch else schema, body)

    def check_answer(self, method: str, template: str, status: int, body: Any):
        """Fail unless the description allows a response."""
        responses = self.document["paths"][template][method.lower()]["responses"]
        schema = responses[str(status)]["content"]["application/json"]["schema"]
        self._check(schema, body)

    def _check(self, schema: dict[str, Any], value: Any):
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole).validate(value)


def contract(version: str) -> Contract:
    """The description of a version; skips the test if the file is missing."""
    path = FOLDER / f"openapi-{version}-subset.yaml"
    if not path.exists():
        pytest.skip(f"Intercom's OpenAPI description {version} is not at {FOLDER}")
    with path.open(encoding="utf-8") as file:
        document = _json_schema(yaml.load(file, yaml.CSafeLoader))
    # Described as never null, but recorded as null in search.
    document["components"]["schemas"]["contact"]["properties"]["email"]["type"] = ["string", "null"]
    return Contract(document)


def _json_schema(node: Any) -> Any:
    """Turn `nullable` of OpenAPI 3.0 into JSON Schema's type null."""
    if isinstance(node, list):
        return [_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    converted = {key: _json_schema(value) for key, value in node.items() if key != "example"}
    if converted.pop("nullable", None) is not True:
        return converted
    return {"anyOf": [converted, {"type": "null"}]}
