"""A client for the service, in one file that needs nothing but Python: copy it where it is used.

Examples
--------
>>> client = Client("http://127.0.0.1:8000")
>>> for prediction in client.predict([{"age": 36, "income": 123}]):
...     print(prediction.value, prediction.details, prediction.warnings)

A service that forecasts is asked for periods ahead:

>>> for prediction in client.forecast(2, ["Agriculture"]):
...     print(prediction.details["date"], prediction.value)
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

Value = str | float | bool | None
Row = Mapping[str, Value]

BUSY = (0, 503)  # no answer at all, or one that asks to come again


@dataclass(frozen=True)
class Prediction:
    """One answer.

    Attributes
    ----------
    id
        Give it back with `Client.feedback` once the true label or value is known.
    value
        What is predicted: a label or a number.
    details
        What comes with it: probabilities, the ends of an interval, a forecast's series and date.
    warnings
        What about the row training never saw.
    """

    id: str
    value: Value
    details: dict[str, Value] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class ServiceError(Exception):
    """The service did not do what it was asked.

    Attributes
    ----------
    status
        Of HTTP; 0 if there was no answer.
    detail
        A sentence, or for wrong rows a list with ``row``, ``field`` and ``reason`` of each mistake.
    request
        The id under which the service's log has it.
    """

    def __init__(self, status: int, detail: Any, request: str = "") -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.request = request


class Client:
    """Asks the service.

    Parameters
    ----------
    address
        Like ``http://127.0.0.1:8000``.
    key
        If the service asks for one.
    seconds
        How long an answer may take.
    tries
        How often a request is sent that finds the service away or busy.
    """

    def __init__(
        self, address: str, key: str = "", *, seconds: float = 30.0, tries: int = 3
    ) -> None:
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"{address} is not an address; give one like http://127.0.0.1:8000.")
        self._address = address.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._seconds = seconds
        self._tries = tries

    def predict(self, rows: Sequence[Row]) -> list[Prediction]:
        """Return a prediction for each row, in their order.

        Raises
        ------
        ServiceError
            If a row does not fit the model, there are too many, or the service fails.
        """
        answer = self._send("/predict", {"rows": list(rows)})
        return [_prediction(one) for one in answer["predictions"]]

    def predict_many(self, rows: Iterable[Row], at_once: int = 500) -> Iterator[Prediction]:
        """Yield a prediction for each of any number of rows, asking for some at a time."""
        waiting = iter(rows)
        while some := list(islice(waiting, at_once)):
            yield from self.predict(some)

    def forecast(
        self,
        horizon: int | None = None,
        series: Sequence[str] | None = None,
        rows: Sequence[Row] | None = None,
        future: Sequence[Row] | None = None,
    ) -> list[Prediction]:
        """Return a prediction for each series and date, of a service that forecasts.

        Parameters
        ----------
        horizon
            Periods ahead; as many as the model can if left out.
        series
            Labels of the series to forecast; all if left out.
        rows
            History newer than the model's: the forecast begins after it.
        future
            What is known ahead of time, by date.

        Raises
        ------
        ServiceError
            If the model cannot answer this, or the service fails.
        """
        parts = {"horizon": horizon, "series": series, "rows": rows, "future": future}
        asked = {name: part for name, part in parts.items() if part is not None}
        return [_prediction(one) for one in self._send("/predict", asked)["predictions"]]

    def feedback(self, prediction: str, actual: Value) -> None:
        """Say what a prediction turned out to be, by its id.

        Raises
        ------
        ServiceError
            If the id is not known, or `actual` is no value of the target.
        """
        self._send("/feedback", {"id": prediction, "actual": actual})

    def model(self) -> dict[str, Any]:
        """Return what serves: its version, its inputs, how good it is, and what to ask it."""
        return self._send("/model")

    def _send(self, path: str, body: object = None) -> dict[str, Any]:
        for left in reversed(range(self._tries)):
            try:
                return self._send_once(path, body)
            except ServiceError as error:
                if error.status not in BUSY or not left:
                    raise
                time.sleep(0.5)
        raise AssertionError("it was sent at least once")

    def _send_once(self, path: str, body: object) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, self._headers)  # noqa: S310
        try:
            with OPENER.open(request, timeout=self._seconds) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise _service_error(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise ServiceError(0, f"{self._address} does not answer ({error})") from None
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError):
            raise ServiceError(answer.status, f"{self._address} is not the service") from None


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nobody to another address: the key would go along."""

    def redirect_request(self, *args: Any) -> None:
        """Refuse, so that it is an error."""


OPENER = urllib.request.build_opener(NoRedirects)


def _service_error(error: urllib.error.HTTPError) -> ServiceError:
    try:
        with error:
            detail = json.load(error)["detail"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):  # a proxy's page
        detail = error.reason
    return ServiceError(error.code, detail, error.headers.get("X-Request-ID", ""))


def _prediction(answer: dict[str, Any]) -> Prediction:
    details = dict(answer)
    return Prediction(
        id=details.pop("id"),
        value=details.pop("prediction"),
        warnings=details.pop("warnings", []),
        details=details,
    )
