"""Requests, programs and escalation: what is asked, what is judged, and how much is enough."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.measure.estimators import wilson
from curation.rollouts.clients.mutants import MutantsClient
from curation.rollouts.escalation import demands_more
from curation.rollouts.programs import judged_answer
from curation.rollouts.requests import Client, Request, Sample, ask, plan
from schemas.recipe.rollouts import Escalation, Mutants, Rollouts
from tests.curation.code_problems import asserted, stream
from tests.strategies import counts
from tests.tables import problem
from warehouse.stages import Workspace

_SAMPLES = st.builds(Sample, st.text(), st.none() | st.text(), st.none() | st.integers(0, 10**6))


class _Canned(MutantsClient):
    """Answers what it is told, and remembers what it was asked."""

    paid = True
    per_request = 3

    def __init__(self, samples: list[Sample]) -> None:
        super().__init__(Mutants(backend="mutants"))
        self.samples = samples
        self.asked: list[Request] = []

    def answer(self, requests):
        for request in requests:
            self.asked.append(request)
            yield request, self.samples


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=st.lists(_SAMPLES, max_size=4), number=st.integers(0, 10**9))
def test_the_cache_gives_back_what_was_answered(workspace: Workspace, samples: list[Sample], number: int) -> None:
    """Any text, whatever characters it holds, comes back as it was, and nothing is asked twice."""
    cache = workspace.cache(f"requests-{abs(hash(tuple(samples)))}-{number}")
    client = _Canned(samples)
    requests = list(plan(client, problem(number), 0, 3))

    first = ask(client, requests, cache, lambda _: None)
    again = ask(client, requests, cache, lambda _: None)

    assert {requests[0].key: samples} == first == again
    assert 1 == len(client.asked)


def test_equal_requests_are_asked_once(workspace: Workspace) -> None:
    """Two problems that pose the same to a model share its answers, whichever comes first."""
    client = _Canned([Sample("8")])
    requests = [request for made in (problem(7), problem(7)) for request in plan(client, made, 0, 3)]

    answers = ask(client, requests, workspace.cache("requests"), lambda _: None)

    assert (1, [[Sample("8")]]) == (len(client.asked), list(answers.values()))


@given(first=st.integers(0, 50), more=st.integers(0, 50), per_request=st.integers(1, 20))
def test_requests_cover_each_answer_once(first: int, more: int, per_request: int) -> None:
    """The requests for a range ask for every index in it exactly once, each under a key of its own."""
    client: Client = _Canned([])
    client.per_request = per_request

    requests = list(plan(client, problem(1), first, first + more))

    indices = [index for request in requests for index in range(request.first, request.first + request.count)]
    assert list(range(first, first + more)) == indices
    assert len(requests) == len({request.key for request in requests})
    assert all(1 <= request.count <= per_request for request in requests)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Text\n```python\nx = 1\n```\nand\n```\nx = 2\n```\n", "x = 2\n"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("  ```py\n  x = 1\n  ```", "  x = 1\n"),
        ("```python\nx = 1\n```\n```python\ncut off", "x = 1\n"),
        ("```python\ncut off", ""),
        ("x = 1", ""),
        ("`x = 1`", ""),
    ],
)
def test_the_last_closed_block_is_the_program(response: str, expected: str) -> None:
    """Prose, earlier blocks and a block that was cut are not; no block is no program."""
    assert expected == judged_answer(stream(1), response, "code_block")


def test_a_completion_follows_the_starter_code_and_stops() -> None:
    """The earliest stop text ends it, wherever it stands in the list."""
    made = asserted(1, starter_code="def f(x):\n")

    judged = judged_answer(made, "    return x\n\nprint(f)\nclass A: pass", "completion", ["\nclass", "\nprint"])

    assert "def f(x):\n    return x\n" == judged


@pytest.mark.parametrize("program", ["completion", "code_block", "answer"])
def test_answers_in_words_are_judged_whole(program: str) -> None:
    """A problem that asks for no code has no program to be found."""
    assert "So:\n```\n42\n```\n#### 42" == judged_answer(problem(41), "So:\n```\n42\n```\n#### 42", program)


@given(judged=counts())
def test_no_right_answer_always_asks_for_more(judged: tuple[int, int]) -> None:
    """Whatever the edges and the confidence, failure alone settles nothing."""
    n, _ = judged

    assert all(demands_more(n, 0, Escalation(edges=edges)) for edges in ((), ("1/2",), (0.9, 0.1)))


@given(judged=counts(), edge=st.sampled_from(["0.1", "1/4", "0.5", "0.6", "7/8"]))
def test_more_is_asked_exactly_where_the_interval_holds_an_edge(judged: tuple[int, int], edge: str) -> None:
    """With a right answer, the interval decides."""
    n, c = judged
    c = max(1, c)
    low, high = wilson(n, c)

    expected = low < eval(edge) < high

    assert expected == demands_more(n, c, Escalation(edges=(edge,)))


def test_the_default_escalates_what_eight_answers_cannot_place() -> None:
    """0 of 8, and 2 to 6 of 8 (whose intervals hold a half), ask for more; faults alone do not."""
    assert [0, 2, 3, 4, 5, 6] == [c for c in range(9) if demands_more(8, c, Escalation())]
    assert not demands_more(0, 0, Escalation())


@pytest.mark.parametrize("levels", [[], [0, 8], [8, 8], [64, 8]])
def test_levels_grow(levels: list[int]) -> None:
    """Levels that do not grow are refused with what is allowed."""
    with pytest.raises(ValidationError, match="levels are growing positive numbers"):
        Escalation(levels=levels)


def test_policies_are_told_apart() -> None:
    """Two policies of one name and revision would mix their answers."""
    mutants = {"backend": "mutants", "temperature": 2}

    with pytest.raises(ValidationError, match="given twice: mutants@1"):
        Rollouts(policies=[mutants, mutants])
    assert 2 == len(Rollouts(policies=[mutants, mutants | {"revision": "2"}]).policies)
