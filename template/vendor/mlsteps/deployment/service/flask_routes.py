"""The endpoints for Flask, and what a request passes on its way to them."""

import inspect
import re
from contextlib import suppress
from logging import WARNING, getLogger
from math import ceil
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from pydantic_core import to_json
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from ...problem.project import Project
from .openapi import OPERATIONS
from .responses import HttpResponse, RequestError
from .security import NO_KEY_NEEDED, ApiKeys, check_host, check_origin
from .server import RequestContext, listen
from .service import PredictionService

__all__ = ["prediction_blueprint", "require_key", "run"]


def prediction_blueprint(service: PredictionService) -> Blueprint:
    """Return the endpoints of the service.

    With them come an id, metrics and a line in the log for every request of the application, its
    errors as JSON, and a refusal of what pages of other sites post.

    Parameters
    ----------
    service : PredictionService
        It starts with the first request, if it was not entered before, and ends with the process.

    Returns
    -------
    Blueprint
        For `Flask.register_blueprint`. Its /openapi.json also describes what the application adds.

    Examples
    --------
    In the project's ``flask_app.py``::

        app.register_blueprint(prediction_blueprint(service))
    """
    blueprint = Blueprint("predictions", __name__)
    _add_hooks(blueprint, service)

    @blueprint.post("/predict")
    def predict() -> HttpResponse:
        body = request.stream.read(service.max_bytes + 1)
        return service.predict(body, request.args.get("explain"))

    @blueprint.post("/feedback")
    def feedback() -> HttpResponse:
        return service.feedback(request.stream.read(service.max_bytes + 1))

    for path, respond in service.pages.items():
        blueprint.add_url_rule(path, path.replace("/", "_"), respond)

    if service.settings.docs:

        @blueprint.get("/openapi.json")
        def openapi() -> Response:
            return jsonify(_document(current_app, service))

    return blueprint


def _add_hooks(blueprint: Blueprint, service: PredictionService) -> None:
    """Add what every request of the application passes."""
    allowed = frozenset(service.settings.cors)

    @blueprint.before_app_request
    def begin() -> None:
        service.start()
        g.context = RequestContext(request.method, request.headers.get("X-Request-ID"))
        check_host(request.path, request.headers.get("Host"), service.settings.allowed_hosts)
        check_origin(request.method, request.headers.get, allowed)

    @blueprint.after_app_request
    def finish(response: Response) -> Response:
        with suppress(HTTPException):  # if the application limits the length
            while request.stream.read(1 << 16):  # what is left, or the caller would not hear why
                pass
        response.headers.update(g.context.headers())
        rule = request.url_rule.rule if request.url_rule else None
        g.context.finish(rule, response.status_code, g.get("key", ""))
        return response

    @blueprint.app_errorhandler(RequestError)
    def as_response(error: RequestError) -> Response:
        response = _error(error.status, error.detail)
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @blueprint.app_errorhandler(HTTPException)
    def as_json(error: HTTPException) -> Any:
        if error.response is not None:
            return error.response
        detail = error.name if error.description == type(error).description else error.description
        response = _error(error.code or 500, detail)
        allow = sorted(getattr(error, "valid_methods", None) or ())
        if allow:
            response.headers["Allow"] = ", ".join(allow)
        return response


def require_key(keys: ApiKeys) -> None:
    """Refuse the current request without a key of ``[serving] api_keys``, if that names any.

    Health, metrics and the pages need none: they tell nothing of the rows. Call it before requests.

    Parameters
    ----------
    keys : ApiKeys
        The keys that are known.
    """
    if request.url_rule is not None:
        g.key = keys.check(request.path, request.headers.get("Authorization"))


def run(app: Flask, service: PredictionService, project: Project, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl+C, then finish what was accepted.

    Parameters
    ----------
    app : Flask
        The application.
    service : PredictionService
        Its predictions.
    project : Project
        Says how long a request may take.
    host, port
        Where to listen; port 0 takes a free one, and the log names it.

    Raises
    ------
    UserError
        If the address cannot be had.
    """
    listener = listen(host, port)
    try:
        from .gunicorn_server import Server
    except ModuleNotFoundError:  # Windows lacks what gunicorn stands on
        getLogger("werkzeug").setLevel(WARNING)  # each request has its line already
        with listener, service, suppress(KeyboardInterrupt, SystemExit):
            make_server(host, port, app, threaded=True, fd=listener.fileno()).serve_forever()
    else:
        Server(app, service, ceil(project.definition.serving.max_seconds), listener).run()


def _error(status: int, detail: Any) -> Response:
    return Response(to_json({"detail": detail}), status, mimetype="application/json")


def _document(app: Flask, service: PredictionService) -> dict[str, Any]:
    """Return an OpenAPI document: the library's endpoints, and others with their docstrings."""
    paths: dict[str, Any] = {}
    for rule in app.url_map.iter_rules():
        operation = OPERATIONS.get(rule.rule)
        if operation is None and rule.endpoint.startswith("predictions."):
            continue
        if operation is None:
            doc = inspect.getdoc(app.view_functions[rule.endpoint]) or rule.endpoint
            operation = {"summary": doc.partition("\n")[0], "description": doc}
            operation["responses"] = {"200": {"description": "OK"}}
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in sorted(rule.arguments)
            ]
        if service.settings.api_keys and rule.rule not in NO_KEY_NEEDED:
            operation = operation | {"security": [{"key": []}]}
        path = re.sub("<(?:[^:>]*:)?([^>]*)>", r"{\1}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = operation
    components: dict[str, Any] = {"schemas": service.openapi_schemas()}
    if service.settings.api_keys:
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    info = {"title": app.name, "version": "1"}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": components}
