"""Names of columns, which a file must have, each once."""

from collections import Counter
from collections.abc import Iterable


class UnreadableError(Exception):
    """What is wrong with a file: the end of a sentence that begins with its name."""


def check_names(names: Iterable[str]) -> list[str]:
    """Return the names of columns without blanks around them."""
    stripped = [name.strip() for name in names]
    if "" in stripped:
        raise UnreadableError(
            f"has no name for column {stripped.index('') + 1}; give it one, or take it out "
            "(pandas writes such a column unless to_csv is told index=False)"
        )
    name, times = Counter(stripped).most_common(1)[0] if stripped else ("", 0)
    if times > 1:
        raise UnreadableError(f'has {times} columns named "{name}"; names must differ')
    return stripped
