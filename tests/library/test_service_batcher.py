"""Requests that wait share a call of the model, and none fails by another's fault."""

import asyncio
import threading

import pytest
from mlsteps.deployment.service import batcher as batching
from served import eventually


class Doubles:
    """A model that doubles numbers; it does not begin before it is let."""

    def __init__(self):
        self.calls = []
        self.let = threading.Event()

    def __call__(self, requests):
        self.calls.append(requests)
        self.let.wait(timeout=10)
        return [[2 * number for number in request] for request in requests]


@pytest.fixture
def model():
    return Doubles()


@pytest.fixture
def batcher(model):
    batcher = batching.Batcher(model)
    batcher.start()
    yield batcher
    model.let.set()
    batcher.close()


def test_the_first_is_predicted_at_once_and_all_that_come_meanwhile_together(batcher, model):
    first = batcher.submit([1])
    eventually(lambda: model.calls == [[[1]]])
    others = [batcher.submit([2]), batcher.submit([3, 4]), batcher.submit([5])]
    model.let.set()
    assert first.result(10) == [2]
    assert [other.result(10) for other in others] == [[4], [6, 8], [10]]
    assert model.calls == [[[1]], [[2], [3, 4], [5]]]


def test_requests_of_one_turn_of_an_event_loop_share_a_call(batcher, model):
    async def send():
        return await asyncio.gather(*(batcher.submit_async([number]) for number in range(5)))

    model.let.set()
    assert asyncio.run(send()) == [[0], [2], [4], [6], [8]]
    assert model.calls == [[[0], [1], [2], [3], [4]]]


def test_a_call_has_no_more_rows_than_a_model_predicts_soon(batcher, model):
    first = batcher.submit([1])
    eventually(lambda: len(model.calls) == 1)
    most = [batcher.submit([0] * (batching.MOST_ROWS // 2)) for _ in range(3)]
    larger = batcher.submit([0] * (2 * batching.MOST_ROWS))
    model.let.set()
    for future in (first, *most, larger):
        future.result(10)
    rows = [sum(map(len, requests)) for requests in model.calls]
    assert rows == [1, batching.MOST_ROWS, batching.MOST_ROWS // 2, 2 * batching.MOST_ROWS]


def test_a_request_that_spoils_a_joint_call_fails_alone(batcher, model):
    async def send():
        sent = (batcher.submit_async(request) for request in ([1], [None], [3]))
        return await asyncio.gather(*sent, return_exceptions=True)

    model.let.set()
    first, spoilt, third = asyncio.run(send())
    assert (first, third) == ([2], [6])
    assert isinstance(spoilt, TypeError)


def test_a_request_that_nobody_waits_for_costs_no_call(batcher, model):
    async def send():
        first = batcher.submit_async([1])
        await asyncio.to_thread(eventually, lambda: model.calls)
        second, third = batcher.submit_async([2]), batcher.submit_async([3])
        await asyncio.to_thread(eventually, lambda: len(batcher) == 2)
        second.cancel()
        model.let.set()
        return await first, await third

    assert asyncio.run(send()) == ([2], [6])
    assert model.calls == [[[1]], [[3]]]


def test_what_waits_at_the_end_is_predicted(model):
    batcher = batching.Batcher(model)
    batcher.start()
    sent = [batcher.submit([number]) for number in range(3)]
    model.let.set()
    batcher.close()
    assert [future.result(0) for future in sent] == [[0], [2], [4]]
