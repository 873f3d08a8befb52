"""Score a file: batch prediction from the command line."""

from pathlib import Path

import pandas as pd

from ..collection.tables import read_tables
from ..errors import UserError
from ..files import replacing
from ..modeling import store
from ..modeling.predictor import load_predictor
from ..preparation.schema import ConversionError
from ..problem.project import Project

WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
}


def score_file(project: Project, source: str, target: Path) -> str:
    """Write the rows of `source`, in their order, with the champion's answers beside them.

    Parameters
    ----------
    source
        Any file that `collect` can read, relative to the working directory, or a URL.
    target
        A new file, .csv, .parquet or .jsonl; it appears whole or not at all.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If there is no champion, the file cannot be read, or its columns do not fit the model.
    """
    if target.suffix not in WRITERS:
        raise UserError(
            f'The file to write, {target}, ends in "{target.suffix}"; '
            f"allowed: {', '.join(WRITERS)}."
        )
    predictor = load_predictor(store.champion_folder(project.models))
    rows = read_tables(source, Path.cwd(), project.definition.data.missing).frame
    try:
        answers = predictor.predict(rows)
    except ConversionError as error:
        raise UserError(f"{source}: the {error}; correct it and score again.") from None
    except UserError as error:
        raise UserError(f"{source}: {error.message}") from None
    # Answers win over columns of the same name: a file that was scored before is scored anew.
    scored = pd.concat([rows.drop(columns=answers.columns, errors="ignore"), answers], axis=1)
    with replacing(target.absolute()) as temporary:
        WRITERS[target.suffix](scored, temporary)
    return f"{len(scored):,} rows scored by {predictor.version} into {target}"
