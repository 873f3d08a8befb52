"""The model card: what somebody has to know before relying on the model (Mitchell et al., 2019).

A template of ``string.Template``; the report and models/<version>/card.md show it filled in.
"""

CARD = """\
# Model $version

**$model**, trained $trained to $purpose ($problem).
The gate was $gate

## Intended use

To predict rows like those of `$source`, with these inputs:
$inputs.
It was not tested on rows from elsewhere, and says nothing about cause and effect.

## Data

$data

## Quality on $tested_on

$quality

$outcome

## Where it is weakest

$slices

## What it looks at

$features

## How it was made

Best of $candidates candidates in $scored_by with
$folds folds, settings $settings,
seed $seed; $versions.
Fitted in $fit_seconds s, $megabytes MB,
$milliseconds ms for one row.
"""
