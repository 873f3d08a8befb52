"""The file that scoring writes."""

from pathlib import Path

from ...errors import UserError

ID = "prediction_id"  # the column that feedback is joined by
SUFFIXES = (".csv", ".parquet", ".jsonl")


def check_target(target: Path) -> None:
    """Raise an error if a file cannot be written because of its name.

    Raises
    ------
    UserError
        If its format is not known.
    """
    if target.suffix not in SUFFIXES:
        raise UserError(
            f'The file to write, {target}, ends in "{target.suffix}"; '
            f"allowed: {', '.join(SUFFIXES)}."
        )
