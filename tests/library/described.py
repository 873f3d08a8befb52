"""Responses, held to what the OpenAPI document says of them."""

import jsonschema


def assert_as_described(client, path):
    """Hold a response to its schema in the OpenAPI document."""
    document = client.get("/openapi.json").json()
    good = document["paths"][path]["get"]["responses"]["200"]
    schema = good["content"]["application/json"]["schema"]
    assert schema
    jsonschema.validate(client.get(path).json(), schema | {"components": document["components"]})
