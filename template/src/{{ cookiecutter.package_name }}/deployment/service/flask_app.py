"""The service: an ordinary Flask application, yours to add endpoints to.

Add an endpoint at the end, as https://flask.palletsprojects.com shows::

    @app.get("/hello")
    def hello() -> dict[str, str]:
        return {"hello": "world"}
"""

from flask import Flask
from flask_cors import CORS
from mlsteps import Project, open_project
from mlsteps.deployment.service import ApiKeys, PredictionService, flask_routes
from mlsteps.deployment.service.flask_routes import prediction_blueprint, run

from ...modeling.predictor import load_model

project = open_project()
settings = project.definition.serving
service = PredictionService(project, load_model)

app = Flask(__name__, static_folder=None)
app.register_blueprint(prediction_blueprint(service))
if settings.cors:
    headers = ["Authorization", "Content-Type", "X-Request-ID"]
    CORS(app, origins=settings.cors, methods=["GET", "POST"], allow_headers=headers)

keys = ApiKeys(settings.api_keys)


@app.before_request
def require_key() -> None:
    """Ask callers of every endpoint for a key, if [serving] api_keys names any.

    To have another way of authentication, put your own here: a response ends the request.
    """
    flask_routes.require_key(keys)


def serve(project: Project, host: str, port: int) -> None:
    """Serve until it is stopped."""
    run(app, service, project, host, port)
