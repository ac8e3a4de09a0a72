"""The OpenAI back end against a real endpoint that answers, stalls, dies and talks nonsense."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import ValidationError

from curation.rollouts.clients.openai import OpenAIClient, _seed
from curation.rollouts.requests import Sample, ask, plan
from schemas.errors import ModelError, UsageError
from schemas.recipe.rollouts import OpenAI, Sampler
from tests.curation.endpoint import Endpoint, digits
from tests.tables import problem
from warehouse.stages import Workspace


def _policy(url: str, **changes: Any) -> OpenAI:
    settings = {"name": "made", "per_request": 4, "concurrency": 4, "timeout_seconds": 5, "attempts": 4}
    return OpenAI(backend="openai", base_url=url, **(settings | changes))


def _ask(
    policy: OpenAI,
    workspace: Workspace,
    problems: Iterable[int] = range(6),
    last: int = 8,
) -> dict[tuple[str, int], list[Sample]]:
    client = OpenAIClient(policy)
    requests = [request for number in problems for request in plan(client, problem(number), 0, last)]
    try:
        answers = ask(client, requests, workspace.cache("requests"), lambda _: None)
    finally:
        client.close()
    return {(request.problem["problem_id"], request.first): answers[request.key] for request in requests}


def _expected(policy: OpenAI, number: int) -> list[Sample]:
    client = OpenAIClient(policy)
    (request,) = plan(client, problem(number), 0, 4)
    body = client._body(request.problem) | {"n": 4, "seed": _seed(request)}
    return [Sample(text, "stop") for text in digits(body)]


@pytest.mark.parametrize("form", ["chat", "completion"])
def test_answers_come_in_the_order_of_their_indices(workspace: Workspace, form: str) -> None:
    """Both forms of the protocol are understood, and choices that come out of order are put in order."""
    with Endpoint() as endpoint:
        policy = _policy(endpoint.url, form=form)
        answers = _ask(policy, workspace)

    assert _expected(policy, 3) == answers[problem(3)["problem_id"], 0]
    assert {4} == {len(samples) for samples in answers.values()}


def test_a_second_run_is_offline_and_the_same(workspace: Workspace) -> None:
    """What was answered is never asked again, wherever the endpoint has moved, and reads back byte for byte."""
    with Endpoint() as endpoint:
        first = _ask(_policy(endpoint.url), workspace)

    again = _ask(_policy("http://127.0.0.1:9/v1", attempts=1), workspace)

    assert first == again


@pytest.mark.parametrize("fault", [429, 500, 503, "close", "html", "cut", "short", "null"])
def test_passing_faults_are_tried_again(workspace: Workspace, fault: int | str) -> None:
    """A refusal, a dropped connection or nonsense costs an attempt, not the run."""
    with Endpoint(faults=[fault, "fine", fault]) as endpoint:
        answers = _ask(_policy(endpoint.url), workspace)
        asked = endpoint.answered

    with Endpoint() as sound:
        expected = _ask(_policy(sound.url), Workspace(workspace.root / "other"))

    assert expected == answers
    assert {1} == set(asked.values())


def test_an_endpoint_that_never_answers_is_given_up(workspace: Workspace) -> None:
    """Silence is a failure with the endpoint's name and the time waited."""
    with (
        Endpoint(faults=["hang"] * 9) as endpoint,
        pytest.raises(ModelError, match=r"failed 2 times; last: no answer within 0\.2 s") as caught,
    ):
        _ask(_policy(endpoint.url, timeout_seconds=0.2, attempts=2), workspace, problems=[1], last=4)

    assert endpoint.url in caught.value.message


def test_garbage_is_shown_and_named(workspace: Workspace) -> None:
    """An endpoint that only talks nonsense ends in an error that shows what it said."""
    with (
        Endpoint(faults=["html"] * 9) as endpoint,
        pytest.raises(ModelError, match=r"last: not a completion: '<html>Bad gateway</html>'"),
    ):
        _ask(_policy(endpoint.url, attempts=2), workspace, problems=[1], last=4)


def test_nothing_listens(workspace: Workspace) -> None:
    """A refused connection names the endpoint and says how to go on."""
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1 of 'made' failed 2 times") as caught:
        _ask(_policy("http://127.0.0.1:9/v1", attempts=2), workspace, problems=[1])

    assert "what it answered is kept: run again to continue." == caught.value.hint


def test_a_server_that_dies_half_way_loses_nothing(workspace: Workspace) -> None:
    """Answers before the death are kept; the next run asks only for the rest."""
    with Endpoint(dies_after=5) as endpoint:
        with pytest.raises(ModelError):
            _ask(_policy(endpoint.url, attempts=1), workspace)
        before = endpoint.answered.total()
    with Endpoint() as revived:
        answers = _ask(_policy(revived.url), workspace)
        after = revived.answered.total()

    assert (5, 12) == (before, before + after)
    assert 12 == len(answers)


def test_a_refusal_for_good_is_not_tried_again_and_hides_the_key(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer such as 401 ends at once; the key is sent, and stands in no message and no cache."""
    monkeypatch.setenv("MADE_KEY", "sk-very-secret")
    with Endpoint(faults=["fine", 401, 401, 401, 401]) as endpoint:
        policy = _policy(endpoint.url, api_key_env="MADE_KEY", concurrency=1)
        with pytest.raises(ModelError, match=r"refused the request with HTTP 401") as caught:
            _ask(policy, workspace)

    assert {"Bearer sk-very-secret"} == endpoint.keys
    assert "sk-very-secret" not in str(caught.value)
    assert "***" in str(caught.value)
    assert b"sk-very-secret" not in b"".join(path.read_bytes() for path in workspace.root.rglob("*.sqlite*"))
    assert "sk-very-secret" not in policy.model_dump_json()


def test_a_key_that_is_not_set_is_a_usage_error() -> None:
    """The variable is named, and how to set it."""
    with pytest.raises(UsageError, match="takes its key from the variable SURELY_NOT_SET, which is not set"):
        OpenAIClient(_policy("http://127.0.0.1:9/v1", api_key_env="SURELY_NOT_SET"))


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "ftp://somewhere"},
        {"base_url": "http://user:word@host/v1"},
        {"base_url": "http://host/v1?key=1"},
        {"api_key_env": "sk-this-is-a-key"},
    ],
)
def test_secrets_in_a_recipe_are_refused(changes: dict[str, str]) -> None:
    """An address with a password, or a key where a variable's name belongs, never gets into a recipe."""
    with pytest.raises(ValidationError, match=r"an address|name of an environment variable"):
        OpenAI(backend="openai", name="made", **({"base_url": "http://127.0.0.1:9/v1"} | changes))


def test_never_more_requests_at_once_than_allowed(workspace: Workspace) -> None:
    """The limit on concurrency holds, and is used."""
    with Endpoint() as endpoint:
        _ask(_policy(endpoint.url, concurrency=3), workspace, problems=range(20))

    assert 1 <= endpoint.most_at_once <= 3


def test_cut_answers_and_stray_surrogates(workspace: Workspace) -> None:
    """An answer that hit the limit says so; text that is not valid Unicode is made so."""
    with Endpoint(answer=lambda body: ["cut short \ud800"] * body["n"]) as endpoint:
        answers = _ask(_policy(endpoint.url, per_request=1), workspace, problems=[1], last=1)

    assert [[Sample("cut short ?", "length", 11)]] == list(answers.values())


@pytest.mark.parametrize("change", [{"revision": "2"}, {"sampler": Sampler(seed=1)}, {"form": "completion"}])
def test_whatever_shapes_an_answer_is_in_its_key(change: dict[str, Any]) -> None:
    """Another revision, seed or form is another request; another address or concurrency is not."""
    url = "http://127.0.0.1:9/v1"
    keys = {
        name: next(plan(OpenAIClient(policy), problem(1), 0, 4)).key
        for name, policy in {
            "plain": _policy(url),
            "moved": _policy("http://127.0.0.1:10/v1", concurrency=9, attempts=1),
            "changed": _policy(url, **change),
        }.items()
    }

    assert keys["plain"] == keys["moved"] != keys["changed"]
