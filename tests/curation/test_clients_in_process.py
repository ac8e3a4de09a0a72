"""The back ends that run a model in this process, on a tiny model built on the spot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from curation.rollouts.clients.transformers import TransformersClient
from curation.rollouts.clients.vllm import VllmClient
from curation.rollouts.requests import Sample, ask, plan
from schemas.errors import InputError, MissingExtra
from schemas.recipe.rollouts import Sampler, Transformers, Vllm
from tests.tables import problem
from warehouse.stages import Workspace

_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a two-layer Llama of 64 characters, weights as safetensors."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'sluice[llm]'")
    transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'sluice[llm]'")
    from tokenizers import Tokenizer
    from tokenizers.decoders import Fuse
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ?"
    vocabulary = {"<end>": 0, "<unk>": 1} | {c: n for n, c in enumerate(characters, start=2)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.decoder = Fuse()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>")
    fast.chat_template = _TEMPLATE
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,  # two heads of 32: the narrowest that vLLM attends to on a CPU
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=0,
    )
    folder = tmp_path_factory.mktemp("model")
    transformers.LlamaForCausalLM(config).save_pretrained(folder, safe_serialization=True)
    fast.save_pretrained(folder)
    return folder


def _policy(model: Path, **changes: Any) -> Transformers:
    settings = {"sampler": Sampler(max_tokens=12), "per_request": 3}
    return Transformers(backend="transformers", name="tiny", model=str(model), **(settings | changes))


def _sampled(policy: Transformers, workspace: Workspace, *numbers: int) -> dict[int, list[Sample]]:
    client = TransformersClient(policy)
    requests = {number: next(plan(client, problem(number), 0, 3)) for number in numbers}
    answers = ask(client, list(requests.values()), workspace.cache("requests"), lambda _: None)
    client.close()
    return {number: answers[request.key] for number, request in requests.items()}


@pytest.mark.trainers
@pytest.mark.parametrize("form", ["chat", "completion"])
def test_answers_follow_from_the_seed(model: Path, tmp_path: Path, form: str) -> None:
    """Sampling gives different answers per index, the same at every run, whatever is asked before."""
    policy = _policy(model, form=form)

    one = _sampled(policy, Workspace(tmp_path / "one"), 1, 2)
    two = _sampled(policy, Workspace(tmp_path / "two"), 2, 1)
    other = _sampled(
        _policy(model, form=form, sampler=Sampler(max_tokens=12, seed=1)), Workspace(tmp_path / "three"), 1
    )

    assert one == two
    assert 3 == len({sample.text for sample in one[1]})
    assert one[1] != other[1]


@pytest.mark.trainers
def test_lengths_and_ends_are_told(model: Path, tmp_path: Path) -> None:
    """An answer that reached the limit says so with its length; one that stopped earlier is shorter."""
    samples = _sampled(_policy(model, per_request=40), Workspace(tmp_path), *range(4))

    for sample in (sample for answers in samples.values() for sample in answers):
        assert ("length" if sample.tokens == 12 else "stop") == sample.finish_reason
        assert 0 <= sample.tokens <= 12


@pytest.mark.trainers
def test_greedy_answers_are_one_answer(model: Path, tmp_path: Path) -> None:
    """At temperature 0 all answers to a problem are the same."""
    policy = _policy(model, sampler=Sampler(temperature=0, max_tokens=5))

    samples = _sampled(policy, Workspace(tmp_path), 1)

    assert (3, 1) == (len(samples[1]), len({*samples[1]}))


@pytest.mark.trainers
def test_a_stop_text_ends_an_answer(model: Path, tmp_path: Path) -> None:
    """Generation ends with the stop text, which judging then cuts."""
    free = _sampled(_policy(model), Workspace(tmp_path / "free"), 1)[1][0].text
    policy = _policy(model, sampler=Sampler(max_tokens=12, stop=(free[4],)), per_request=1)
    client = TransformersClient(policy)
    ((_, (stopped,)),) = client.answer([next(plan(client, problem(1), 0, 1))])

    assert free[4] not in stopped.text[:-1]


@pytest.mark.trainers
def test_an_unloadable_model_is_an_input_error(tmp_path: Path) -> None:
    """A folder without a model is named, with what belongs there."""
    pytest.importorskip("torch")
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(InputError, match="cannot be loaded"):
        TransformersClient(_policy(tmp_path))


@pytest.mark.trainers
@pytest.mark.timeout(600)
@pytest.mark.parametrize("form", ["chat", "completion"])
def test_vllm_answers_in_this_process(model: Path, tmp_path: Path, form: str) -> None:
    """Equal seeds sample the same answers with vLLM, lengths are told, and the engine closes."""
    pytest.importorskip("vllm", reason="needs vllm: pip install 'sluice[vllm]'")
    sampler = Sampler(max_tokens=12)
    policy = Vllm(
        backend="vllm",
        name="tiny",
        model=str(model),
        form=form,
        sampler=sampler,
        per_request=3,
        max_model_len=128,
    )
    client = VllmClient(policy)
    requests = [next(plan(client, problem(number), 0, 3)) for number in (1, 2)]
    one, two = (ask(client, requests, Workspace(tmp_path / name).cache("requests"), lambda _: None) for name in "ab")
    client.close()

    assert one == two
    assert [3, 3] == [len(one[request.key]) for request in requests]
    assert 3 == len({sample.text for sample in one[requests[0].key]})
    assert all(0 < sample.tokens <= 12 for samples in one.values() for sample in samples)


def test_a_missing_library_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch or vllm the error says which extra brings them."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "vllm", None)

    with pytest.raises(MissingExtra) as of_torch:
        TransformersClient(_policy(tmp_path))
    with pytest.raises(MissingExtra) as of_vllm:
        VllmClient(Vllm(backend="vllm", name="tiny", model=str(tmp_path)))

    assert ("torch", "llm", "vllm", "vllm") == (
        of_torch.value.package,
        of_torch.value.extra,
        of_vllm.value.package,
        of_vllm.value.extra,
    )
