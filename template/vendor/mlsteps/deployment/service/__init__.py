"""The champion over HTTP.

`PredictionService` is what predicts; `fastapi_routes` and `flask_routes` have its endpoints for
either framework. The project owns the application, and adds them to it.
"""

from .responses import RequestError
from .security import ApiKeys
from .service import PredictionService

__all__ = ["ApiKeys", "PredictionService", "RequestError"]
