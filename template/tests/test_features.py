"""Features are computed of each row alone, so that one row in the service gets the same."""

import pandas as pd
import pytest

from {{ cookiecutter.package_name }}.preparation.features import add_features


@pytest.fixture
def inputs(model, rows):
    return model.schema.conform(rows)


def test_features_keep_the_rows_and_their_order(inputs):
    assert add_features(inputs.copy()).index.equals(inputs.index)


def test_a_row_alone_has_the_features_that_it_has_among_others(inputs):
    together = add_features(inputs.copy())
    for position in (0, len(inputs) - 1):
        alone = add_features(inputs.iloc[[position]].copy())
        assert list(alone) == list(together)
        pd.testing.assert_frame_equal(alone.astype(together.dtypes), together.iloc[[position]])
