"""The service: an ordinary FastAPI application, yours to add endpoints and dependencies to.

Add an endpoint at the end, as https://fastapi.tiangolo.com shows::

    @app.get("/hello")
    def hello() -> dict[str, str]:
        return {"hello": "world"}
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from mlsteps import Project, open_project
from mlsteps.deployment.service import ApiKeys, PredictionService
from mlsteps.deployment.service.fastapi_routes import (
    RequestMiddleware,
    RequireKey,
    prediction_router,
    run,
)

from ...modeling.predictor import load_model

project = open_project()
settings = project.definition.serving
service = PredictionService(project, load_model)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the champion before the first request, and write the log to its end after the last."""
    with service:
        yield


# With [serving] api_keys, callers of every endpoint need a key, also of yours. To have another way
# of authentication, put a dependency of your own here.
keys = ApiKeys(settings.api_keys)
dependencies = [Depends(RequireKey(keys))] if keys else []

app = FastAPI(
    title=project.root.name,
    lifespan=lifespan,
    dependencies=dependencies,
    openapi_url=None,  # the router below has /openapi.json and /docs, with all endpoints
    redirect_slashes=False,
)
app.include_router(prediction_router(service))
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors,
    allow_methods=["GET", "POST"],
    allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
)
app.add_middleware(RequestMiddleware, service=service)


def serve(project: Project, host: str, port: int) -> None:
    """Serve until it is stopped."""
    run(app, project, host, port)
