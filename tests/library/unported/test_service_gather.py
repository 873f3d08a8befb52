"""Questions that wait share a call of the model, and none fails by another's fault."""

import asyncio
import threading

import pytest
from served import eventually

from {{ cookiecutter.package_name }}.deployment.service import gather


class Doubles:
    """A model that doubles numbers; it does not begin before it is let."""

    def __init__(self):
        self.calls = []
        self.let = threading.Event()

    def __call__(self, questions):
        self.calls.append(questions)
        self.let.wait(timeout=10)
        return [[2 * number for number in question] for question in questions]


@pytest.fixture
def model():
    return Doubles()


@pytest.fixture
def gatherer(model):
    gatherer = gather.Gatherer(model)
    gatherer.start()
    yield gatherer
    model.let.set()
    gatherer.close()


def test_the_first_is_asked_at_once_and_all_that_come_meanwhile_together(gatherer, model):
    first = gatherer.ask([1])
    eventually(lambda: model.calls == [[[1]]])
    others = [gatherer.ask([2]), gatherer.ask([3, 4]), gatherer.ask([5])]
    model.let.set()
    assert first.result(10) == [2]
    assert [other.result(10) for other in others] == [[4], [6, 8], [10]]
    assert model.calls == [[[1]], [[2], [3, 4], [5]]]


def test_what_an_event_loop_hears_in_one_turn_is_asked_together(gatherer, model):
    async def ask():
        return await asyncio.gather(*(gatherer.ask_in_turn([number]) for number in range(5)))

    model.let.set()
    assert asyncio.run(ask()) == [[0], [2], [4], [6], [8]]
    assert model.calls == [[[0], [1], [2], [3], [4]]]


def test_a_call_has_no_more_rows_than_a_model_answers_soon(gatherer, model):
    first = gatherer.ask([1])
    eventually(lambda: len(model.calls) == 1)
    most = [gatherer.ask([0] * (gather.MOST_ROWS // 2)) for _ in range(3)]
    larger = gatherer.ask([0] * (2 * gather.MOST_ROWS))
    model.let.set()
    for future in (first, *most, larger):
        future.result(10)
    rows = [sum(map(len, questions)) for questions in model.calls]
    assert rows == [1, gather.MOST_ROWS, gather.MOST_ROWS // 2, 2 * gather.MOST_ROWS]


def test_a_question_that_spoils_a_joint_call_fails_alone(gatherer, model):
    async def ask():
        asked = (gatherer.ask_in_turn(question) for question in ([1], [None], [3]))
        return await asyncio.gather(*asked, return_exceptions=True)

    model.let.set()
    first, spoilt, third = asyncio.run(ask())
    assert (first, third) == ([2], [6])
    assert isinstance(spoilt, TypeError)


def test_a_question_that_nobody_waits_for_costs_no_call(gatherer, model):
    async def ask():
        first = gatherer.ask_in_turn([1])
        await asyncio.to_thread(eventually, lambda: model.calls)
        second, third = gatherer.ask_in_turn([2]), gatherer.ask_in_turn([3])
        await asyncio.to_thread(eventually, lambda: len(gatherer) == 2)
        second.cancel()
        model.let.set()
        return await first, await third

    assert asyncio.run(ask()) == ([2], [6])
    assert model.calls == [[[1]], [[3]]]


def test_what_waits_at_the_end_is_answered(model):
    gatherer = gather.Gatherer(model)
    gatherer.start()
    asked = [gatherer.ask([number]) for number in range(3)]
    model.let.set()
    gatherer.close()
    assert [future.result(0) for future in asked] == [[0], [2], [4]]
