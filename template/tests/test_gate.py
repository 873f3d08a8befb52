"""The gate says why a model may serve, or why not."""


def test_the_gate_is_passed_if_every_check_is(results):
    gate = results["gate"]
    assert gate["checks"]
    assert gate["passed"] == all(check["passed"] for check in gate["checks"])


def test_every_check_that_failed_is_a_reason(results):
    failed = [check["what"] for check in results["gate"]["checks"] if not check["passed"]]
    assert results["gate"]["reasons"] == failed
