"""What a user owns can be read in an hour, whatever they answered."""

import pytest
from ownership import Owned, every_project, library_lines

MOST_FILES = 30
MOST_LIBRARY_LINES = 22_845  # decisions 0037, 0038, 0043 to 0051 and 0053 to 0057 say what for


@pytest.fixture(scope="module")
def projects() -> list[Owned]:
    return list(every_project())


def test_the_owned_code_is_small_in_every_combination(projects: list[Owned]) -> None:
    assert max(project.lines for project in projects) <= 1_500
    assert max(len(project.source) for project in projects) <= MOST_FILES
    assert max(project.longest_file for project in projects)[0] <= 120


def test_the_owned_tests_can_be_read_as_examples(projects: list[Owned]) -> None:
    assert max(project.test_lines for project in projects) <= 500


def test_the_library_does_not_grow() -> None:
    assert library_lines() <= MOST_LIBRARY_LINES
