"""The service: an ordinary Flask application, yours to add endpoints to.

`serve` starts it; while you work on it, so does
``flask --app {{ cookiecutter.package_name }}.deployment.service.flask_app run --debug``.
"""

from flask import Flask
from flask_cors import CORS
from mlsteps import Project, open_project
from mlsteps.deployment.service import ApiKeys, PredictionService
from mlsteps.deployment.service import flask_routes
from mlsteps.deployment.service.flask_routes import prediction_blueprint, run

from ...modeling.predictor import load_model

project = open_project()
settings = project.definition.serving
service = PredictionService(project, load_model)

app = Flask("{{ cookiecutter.project_slug }}", static_folder=None)
app.register_blueprint(prediction_blueprint(service))
if settings.cors:
    CORS(app, origins=settings.cors, allow_headers=["Authorization", "Content-Type", "X-Request-ID"])

keys = ApiKeys(settings.api_keys)


@app.before_request
def require_key() -> None:
    """Ask callers of every endpoint for a key, if [serving] api_keys names any.

    To have another way of authentication, put your own here: a response ends the request.
    """
    flask_routes.require_key(keys)


# An endpoint of your own, as https://flask.palletsprojects.com shows:
#
#     @app.get("/hello")
#     def hello() -> dict[str, str]:
#         """Greet."""
#         return {"hello": "world"}


def serve(project: Project, host: str, port: int) -> None:
    """Serve until it is stopped."""
    run(app, service, project, host, port)
