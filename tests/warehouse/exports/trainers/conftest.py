"""A published set, a tokenizer and a model small enough to train in seconds, all made on the spot."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from schemas.ids import canonical_json
from tests.tables import prompt_row, prompt_rows
from warehouse.exports import export
from warehouse.exports.target import ExportReport, Options

_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_WORDS = ("What is", "plus one?", "print(int(input()) + 1)", "```python", "Ünïcödé ∑ 数学", "0123456789")
_STEPS = canonical_json({"steps": ["Add one.", "That is it.", "Double it."], "step_labels": [True, 1, False]})
ROWS = 50


def _program(number: int) -> dict[str, Any]:
    """Return a row that asks for a program."""
    return prompt_row(
        number,
        prompt=[
            {"role": "system", "content": "You write programs."},
            {"role": "user", "content": f"Read n, print n + {number}. Ünïcödé ∑ 数学 \u2028"},
        ],
        verifier=canonical_json({"kind": "stdio", "compare": "tokens"}),
        tests=canonical_json([{"input": "1\n", "output": f"{1 + number}\n"}]),
        reference_solutions=[f"print(int(input()) + {number})\n"],
        wrong_solutions=["print(0)\n"],
        ability="code",
        language="python",
        source="apps",
        meta=_STEPS,
    )


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty rows, every third of them code, in no particular order."""
    path = tmp_path_factory.mktemp("published") / "rows.parquet"
    rows = [_program(n) if n % 3 == 0 else prompt_row(n, source="gsm8k", meta=_STEPS) for n in range(ROWS)]
    prompt_rows(rows).sample(fraction=1, shuffle=True, seed=2).write_parquet(path)
    return path


@pytest.fixture(scope="session")
def expected(published: Path) -> list[dict[str, Any]]:
    """The published rows in training order."""
    return pl.read_parquet(published).sort("order_index").to_dicts()


@pytest.fixture(scope="session")
def exported(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ExportReport]:
    """Export the published rows to a target; only those of a single message where it takes no other."""

    def make(name: str, *, one_turn: bool = False, **options: Any) -> ExportReport:
        folder = tmp_path_factory.mktemp("exports")
        rows = published
        if one_turn:
            rows = folder / "rows.parquet"
            pl.read_parquet(published).filter(pl.col("prompt").list.len() == 1).write_parquet(rows)
        return export([rows], name, folder / name, Options(**options), dataset="demo@1.0.0")

    return make


_READ: dict[tuple[str, str], tuple[int, int]] = {}


@pytest.fixture(scope="session")
def read_back() -> Callable[[ExportReport, str, int], None]:
    """Hold what a loader of ``package`` read against what was announced, and keep it for the table."""

    def hold(report: ExportReport, package: str, read: int) -> None:
        _READ[report.target, package] = (report.rows, read)
        assert report.parts[0].loader_rows == read

    return hold


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each loader read, as the table of docs/handoff.md."""
    if not _READ:
        return
    terminalreporter.write_line("| target | loader | rows in | rows read |\n|---|---|---|---|")
    for (name, package), (rows, read) in sorted(_READ.items()):
        terminalreporter.write_line(f"| `{name}` | {package} {_version(package)} | {rows} | {read} |")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from source"


@pytest.fixture(scope="session")
def reward_module() -> Callable[[Path], ModuleType]:
    """Import the reward module of an export by its path, as trainers do."""

    def load(folder: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location("sluice_reward", folder / "reward/sluice_reward.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for torchaudio where it is not installed: two trainers import it and use it for sound alone."""
    if importlib.util.find_spec("torchaudio") is None:
        (tmp_path / "torchaudio").mkdir()
        (tmp_path / "torchaudio/__init__.py").touch()
        monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A byte-level tokenizer with a chat template, saved where `from_pretrained` finds it."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    built = tokenizers.Tokenizer(tokenizers.models.BPE())
    built.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = tokenizers.decoders.ByteLevel()
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    built.train_from_iterator(_WORDS, trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=built, pad_token="<|pad|>", eos_token="<|end|>")
    fast.chat_template = _TEMPLATE
    folder = tmp_path_factory.mktemp("tokenizer")
    fast.save_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def model(tokenizer: Any) -> Any:
    """A Llama of one layer and sixteen dimensions, with random weights."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return transformers.LlamaForCausalLM(config)
