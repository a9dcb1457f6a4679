"""The application in words of OpenAPI 3.1: one path for each service, from its task's signature and docstring."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final, get_args
from urllib.parse import quote

from ..._core.submissions import JobState
from ..service import JobCounts, Service
from .arguments import Arguments, schemas

_CLASS: Final = "argument."  # before the name of a class of the user's, which may be one of those here

_JOB: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": list(get_args(JobState))},
        "seconds": {"type": "number", "description": "How long it runs, or has run."},
        "value": {},
        "error": {
            "type": "object",
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
    },
    "required": ["id", "state"],
}


_JOBS: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "counts": {
            "type": "object",
            "properties": {key: {"type": "integer"} for key in JobCounts._fields},
        },
        "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
    },
}


def described(services: Mapping[str, Service[Any]], arguments: Mapping[str, Arguments]) -> dict[str, object]:
    """The document."""
    adapters = {
        f"{name}\n{each}": one for name in services for each, one in arguments[name].adapters().items()
    }
    told, classes = schemas(adapters, f"#/components/schemas/{_CLASS}{{model}}")
    paths: dict[str, object] = {}
    for name, service in services.items():
        doc = inspect.getdoc(service._task._definition.fn) or ""
        own = {each: told[f"{name}\n{each}"] for each in arguments[name].adapters()}
        paths |= _paths(name, doc.partition("\n\n")[0], arguments[name].schema(own))
    return {
        "openapi": "3.1.0",
        "info": {"title": ", ".join(services), "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {
                "Job": _JOB,
                "Jobs": _JOBS,
                **{f"{_CLASS}{name}": each for name, each in classes.items()},
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _paths(name: str, summary: str, schema: Mapping[str, object]) -> dict[str, object]:
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    wait = {"name": "wait", "in": "query", "schema": {"type": "number", "minimum": 0, "maximum": 60}}
    state = {"name": "state", "in": "query", "schema": {"enum": list(get_args(JobState))}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}}
    body = {"required": bool(schema["required"]), "content": {"application/json": {"schema": schema}}}
    at = f"/{quote(name, safe='')}"
    refused = {status: {"description": why} for status, why in _REFUSED.items()}
    return {
        at: {
            "post": {
                "summary": summary or f"Submit a job to {name}.",
                "parameters": [key],
                "requestBody": body,
                "responses": {"202": _of_a_job("The job."), **refused},
            },
            "get": {
                "summary": f"The latest jobs of {name}.",
                "parameters": [state, limit],
                "responses": {"200": _answer("How many there are, and the jobs.", "Jobs")},
            },
        },
        f"{at}/{{id}}": {
            "get": {"summary": "A job.", "parameters": [id], "responses": {"200": _of_a_job("The job.")}}
        },
        f"{at}/{{id}}/result": {
            "get": {
                "summary": "Wait for a job.",
                "parameters": [id, wait],
                "responses": {"200": _of_a_job("It is over."), "202": _of_a_job("It is not over.")},
            }
        },
        f"{at}/{{id}}/cancel": {
            "post": {
                "summary": "Cancel a job, and wait until it has stopped.",
                "parameters": [id],
                "responses": {"200": _of_a_job("It is over."), "202": _of_a_job("It has not stopped yet.")},
            }
        },
    }


_REFUSED: Mapping[str, str] = {
    "400": "The arguments are not those of the task.",
    "409": "The id is that of a job with other arguments.",
    "429": "As many jobs run and wait as may; Retry-After says when to come again.",
    "503": "No more jobs are taken.",
}


def _of_a_job(description: str) -> dict[str, object]:
    return _answer(description, "Job")


def _answer(description: str, name: str) -> dict[str, object]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
