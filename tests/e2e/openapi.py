"""docs/openapi.yaml as a program sees it: its operations, and whether an answer is one of those that it promises."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any, Iterator

import jsonschema
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMON = {400, 401, 403, 413, 429}  # any call may be answered so
METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Answer:
    """What came: header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def type(self) -> str:
        """The Content-Type without parameters."""
        return self.headers.get("content-type", "").split(";")[0]


@dataclass(frozen=True)
class Operation:
    """One method on one address."""

    document: Document
    method: str
    path: str
    spec: dict

    @property
    def name(self) -> str:
        """operationId"""
        return self.spec["operationId"]

    @property
    def role(self) -> str:
        """The least role."""
        return self.spec["x-role"]

    @property
    def takes_body(self) -> bool:
        """Whether there is a body that matters."""
        return "requestBody" in self.spec

    @property
    def parameters(self) -> list[dict]:
        """Path, query and header parameters, resolved."""
        return [self.document.resolve(one) for one in self.spec.get("parameters", [])]

    def check(self, answer: Answer) -> None:
        """AssertionError unless the document promises such an answer."""
        promised = self.spec["responses"].get(str(answer.status))
        if promised is None and answer.status in COMMON:
            promised = {"$ref": "#/components/responses/Problem"}
        assert promised, f"{self.name}: {answer.status} is not documented: {answer.body[:300]!r}"
        content = self.document.resolve(promised).get("content", {})
        assert answer.type in content, f"{self.name}: {answer.status} comes as {answer.type!r}, not as {list(content)}"
        schema = content[answer.type].get("schema", {})
        if answer.type.endswith("json"):
            self.document.validate(json.loads(answer.body), schema, f"{self.name} {answer.status}")
        if answer.type == "application/problem+json":
            assert json.loads(answer.body)["status"] == answer.status


class Document:
    """The file."""

    def __init__(self) -> None:
        with open(f"{ROOT}/docs/openapi.yaml", encoding="utf-8") as file:
            self.content = yaml.safe_load(file)
        self._resolver = jsonschema.RefResolver("", self.content)

    def resolve(self, value: Any) -> Any:
        """Follows a $ref."""
        while isinstance(value, dict) and "$ref" in value:
            found = self.content
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value

    def validate(self, value: Any, schema: dict, what: str) -> None:
        """AssertionError with the place of what is wrong first; fields that have no schema are wrong, too."""
        errors = sorted(jsonschema.Draft202012Validator(schema, resolver=self._resolver).iter_errors(value), key=str)
        if errors:
            place = "/".join(map(str, errors[0].absolute_path))
            raise AssertionError(f"{what}: at {place or 'the top'}: {errors[0].message[:300]}")
        unnamed = sorted(set(self._unnamed(value, [schema], "")))
        assert not unnamed, f"{what}: undocumented fields: {' '.join(unnamed)}"

    def _parts(self, schema: dict) -> Iterator[dict]:
        """The schema, and those that it is made of."""
        schema = self.resolve(schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            for one in schema.get(word, []):
                yield from self._parts(one)

    def _unnamed(self, value: Any, schemas: list[dict], place: str) -> Iterator[str]:
        """Fields that none of these schemas of the value names, as "/clusters/[]/drain". Those of a map
        (additionalProperties) need no name."""
        parts = [part for schema in schemas for part in self._parts(schema)]
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for item in value:
                yield from self._unnamed(item, items, f"{place}/[]")
        if isinstance(value, dict):
            rest = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
            for name, inner in value.items():
                named = [part["properties"][name] for part in parts if name in part.get("properties", {})] or rest
                if not named:
                    yield f"{place}/{name}"
                elif True not in named:
                    yield from self._unnamed(inner, named, f"{place}/{name}")

    def operations(self) -> Iterator[Operation]:
        """All of them."""
        for path, item in self.content["paths"].items():
            for method in METHODS:
                if method in item:
                    yield Operation(self, method.upper(), path, item[method])
