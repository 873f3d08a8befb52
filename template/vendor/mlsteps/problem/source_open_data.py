"""``[data]`` of a project that reads an open data set."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from .settings import Table

DATASET = re.compile(
    r"openml:[\w.-]+|uci:\d+|kaggle:(competitions/)?[\w.-]+(/[\w.-]+)?|(https?|env):.+"
)


class Data(Table):
    """``[data]``: where the rows come from."""

    source: Literal["open_data"]
    path: str = ""
    missing: list[str] = []
    dataset: str = ""
    file: str = ""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    licence: str = ""
    citation: str = ""
    server: str = ""
    timeout_seconds: float = Field(default=60, gt=0)
    attempts: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.path and not DATASET.fullmatch(self.dataset):
            raise ValueError(
                f'[data] dataset is "{self.dataset}"; allowed: "openml:31" or "openml:credit-g", '
                '"uci:53", "kaggle:owner/name", "kaggle:competitions/name", or a URL'
            )
        return self
