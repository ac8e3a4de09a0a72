"""Verdicts on real programs and answers, held against what is known about them; each figure with its command.

python benchmarks/verdicts.py humaneval --rung L2      references and 16,400 recorded completions
python benchmarks/verdicts.py speed --rung L2          CPU per program, beside evalplus where it is installed
python benchmarks/verdicts.py gsm8k                    the flags of four models' recorded solutions
python benchmarks/verdicts.py cruxeval                 800 x 10 recorded predictions, by execution
python benchmarks/verdicts.py references               MBPP and LeetCode reference solutions
python benchmarks/verdicts.py endurance --programs N   memory, processes, files and descriptors over N programs
python benchmarks/verdicts.py cores                    programs per second with one worker and with all
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from math import comb
from pathlib import Path
from typing import Any

import psutil

from curation import verify
from curation.verify import Judge, Judgement, Task
from curation.verify.home import Home
from curation.verify.ladder import detect
from schemas.enums import Isolation, Status
from schemas.recipe.verify import Verify

DATA = Path(os.environ.get("SLUICE_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data")) / "rlvr"
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
LEETCODE_PRELUDE = """
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import *
from random import *
from string import *
from typing import *
import bisect, collections, copy, datetime, functools, heapq, itertools, math, operator, random, re, string, sys
inf = float("inf")

class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right

def list_node(values):
    head = None
    for value in reversed(values or []):
        head = ListNode(value, head)
    return head

def tree_node(values):
    nodes = [None if value is None else TreeNode(value) for value in values or []]
    below = deque(nodes[1:])
    for node in nodes:
        if node is not None:
            node.left = below.popleft() if below else None
            node.right = below.popleft() if below else None
    return nodes[0] if nodes else None

def is_same_list(a, b):
    while a and b:
        if a.val != b.val:
            return False
        a, b = a.next, b.next
    return not a and not b

def is_same_tree(a, b):
    if not a or not b:
        return not a and not b
    return a.val == b.val and is_same_tree(a.left, b.left) and is_same_tree(a.right, b.right)
"""


def rows(name: str) -> list[Any]:
    """Read one of the shared files."""
    with gzip.open(DATA / name, "rt") as file:
        return [json.loads(line) for line in file] if ".jsonl" in name else json.load(file)


def asserts(program: str, codes: Iterable[str], entry_point: str, prelude: str = "", candidate: str = "") -> Task:
    """Return the task of a program under assert suites."""
    verifier = {"kind": "asserts", "entry_point": entry_point, "prelude": prelude}
    if candidate:
        verifier["candidate"] = candidate
    return Task(json.dumps(verifier), json.dumps([{"code": code} for code in codes]), program)


def human_eval(problem: dict[str, Any], body: str) -> Task:
    """Return the task of a HumanEval completion; helpers before the function are the tester's own."""
    entry = problem["entry_point"]
    prelude = problem["prompt"][: problem["prompt"].rindex(f"def {entry}(")]
    return asserts(problem["prompt"] + body, [f"{problem['test']}\ncheck({entry})"], entry, prelude)


def cut(completion: str) -> str:
    """Cut a completion where the function ends, by the convention of the recorded rollouts."""
    ends = [at for at in (completion.find(stop) for stop in STOPS) if at >= 0]
    return completion[: min(ends)] if ends else completion


def completions() -> Iterator[Task]:
    """Yield the 16,400 recorded completions as tasks; both files hold the same problems, in the order of their ids."""
    problems = sorted(rows("humaneval.jsonl.gz"), key=lambda problem: problem["task_id"])
    for problem, samples in recorded(problems):
        for sample in samples:
            yield human_eval(problem, cut(sample))


def recorded(problems: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield each problem with its recorded completions."""
    for problem, rollout in zip(problems, rows("humaneval_codegen16b_rollouts.jsonl.gz"), strict=True):
        assert f"def {problem['entry_point']}(" in rollout["prompt"], problem["task_id"]
        yield problem, rollout["samples"]


def pass_at(k: int, n: int, c: int) -> float:
    """Return the unbiased estimate of pass@k (Chen et al. 2021, equation 1)."""
    return 1.0 - comb(n - c, k) / comb(n, k)


def judge(tasks: Iterable[Task], args: argparse.Namespace) -> list[Judgement]:
    """Judge tasks at the rung asked for."""
    settings = Verify(time_limit_s=args.limit, workers=args.workers, packages=("numpy", "sortedcontainers"))
    with Judge(settings, detect().capped(Isolation(args.rung))) as judge:
        return list(judge.judge(tasks))


def humaneval(args: argparse.Namespace) -> None:
    """Judge the references, then print pass@k of the recorded completions, with what they cost."""
    problems = rows("humaneval.jsonl.gz")
    references = judge((human_eval(p, p["canonical_solution"]) for p in problems), args)
    print(f"references accepted: {sum(bool(j.all_passed) for j in references)} of {len(problems)}")
    began, before = time.monotonic(), cpu_s()
    judged = judge(completions(), args)
    wall, cpu = time.monotonic() - began, cpu_s() - before
    counts = [sum(bool(j.all_passed) for j in judged[i : i + 100]) for i in range(0, len(judged), 100)]
    for k in (1, 10, 100):
        print(f"pass@{k}: {sum(pass_at(k, 100, c) for c in counts) / len(counts):.4f}")
    print(f"statuses: {dict(Counter(j.status.value for j in judged).most_common())}")
    quick = [j for j in judged if j.status not in (Status.TLE, Status.ILE, Status.MLE)]
    spent = sum(j.cpu_ms for j in judged) - sum(j.cpu_ms for j in quick)
    print(f"{args.rung}: {len(judged)} programs in {wall:.0f} s, {cpu / len(judged) * 1e3:.2f} CPU-ms each in all;")
    print(f"    {(cpu * 1e3 - spent) / len(judged):.2f} CPU-ms without what {len(judged) - len(quick)} time-outs burnt")
    save(args, [[j.status.value, round(j.cpu_ms, 2)] for j in judged])


def speed(args: argparse.Namespace) -> None:
    """CPU-milliseconds per program, start-up left out, beside evalplus and what cannot be saved, in the same minutes.

    Programs are the references, and every 40th completion that ends by itself.
    """
    problems = sorted(rows("humaneval.jsonl.gz"), key=lambda problem: problem["task_id"])
    solutions = {
        "references": [(p, p["canonical_solution"]) for p in problems],
        "completions": ending([(p, cut(s)) for p, samples in recorded(problems) for s in samples[::40]], args),
    }
    for turn in range(args.rounds):
        print(f"round {turn}, load {os.getloadavg()[0]:.1f}")
        for name, programs in solutions.items():
            tasks = [human_eval(*program) for program in programs]
            figures = []
            for repeat in (1, 5):
                before, began = cpu_s(), time.monotonic()
                judged = judge(tasks * repeat, args)
                figures.append((cpu_s() - before, time.monotonic() - began, len(judged)))
            (c1, w1, n1), (c5, w5, n5) = figures
            print(
                f"    {len(tasks)} {name}: sluice {args.rung} {(c5 - c1) / (n5 - n1) * 1e3:.2f} CPU-ms per program, "
                f"{(n5 - n1) / (w5 - w1):.0f} programs/s"
            )
            peer(programs, args)
        floor(problems, args)


def ending(programs: list[tuple[dict[str, Any], str]], args: argparse.Namespace) -> list[tuple[dict[str, Any], str]]:
    """Return the programs that a limit does not end: those others cost what the limit is."""
    judged = judge([human_eval(*program) for program in programs], args)
    limits = (Status.TLE, Status.ILE, Status.MLE)
    return [program for program, j in zip(programs, judged, strict=True) if j.status not in limits]


def peer(programs: list[tuple[dict[str, Any], str]], args: argparse.Namespace) -> None:
    """Run evalplus on the same programs, in its own environment."""
    if not args.evalplus:
        print("    evalplus: not given (--evalplus PYTHON of an environment that has it)")
        return
    script = Path(__file__).with_name("verdicts_evalplus.py")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump([[p["task_id"], p["prompt"] + body] for p, body in programs], file)
        file.flush()
        command = [args.evalplus, str(script), str(DATA / "humaneval.jsonl.gz"), file.name, str(args.workers or 2)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    print("    " + (done.stdout.strip() or f"evalplus failed: {done.stderr.strip()[-200:]}"))


def floor(problems: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print what no judge of this kind can do without: a fork, the sandbox's calls, the references' own work."""
    home = Home(Isolation(args.rung))
    try:
        home.provide()
        settings = home.slot(("numpy", "sortedcontainers"))
        script = Path(__file__).with_name("verdicts_floor.py")
        command = [settings["interpreter"], "-s", "-P", "-S", "-B", "-X", "utf8", str(script)]
        command += [str(Path(verify.__file__).parent), json.dumps(settings)]
        bare, locked = json.loads(subprocess.check_output(command, env=settings["environment"]))
    finally:
        home.remove()
    began = time.process_time()
    for problem in problems:
        namespace: dict[str, Any] = {}
        exec(f"{problem['prompt']}{problem['canonical_solution']}\n{problem['test']}", namespace)
        namespace["check"](namespace[problem["entry_point"]])
    work = (time.process_time() - began) / len(problems) * 1e3
    print(
        f"    floor: fork and exit {bare:.2f}, with the sandbox's calls {locked:.2f}, the references' work {work:.2f}"
    )


def endurance(args: argparse.Namespace) -> None:
    """Judge many programs, a hundredth of them hostile; print memory on the way and what is left at the end."""
    square = "def f(x): return x * x"
    kinds = [square, f"open('left', 'w').write('x' * 10_000)\n{square}"]
    sleeper = f"import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n{square}"
    bad = ["import os\nos._exit(0)", "def f(x): return [0] * 10**6", sleeper]
    verifier, tests = '{"kind":"calls","entry_point":"f"}', '[{"args":[2],"expected":4}]'
    tasks = (
        Task(verifier, tests, bad[n // 100 % len(bad)] if n % 100 == 0 else kinds[n % 2]) for n in range(args.programs)
    )
    folder, me = Path(tempfile.mkdtemp()), psutil.Process()
    tempfile.tempdir = str(folder)
    folder.chmod(0o711)
    before = me.num_fds(), len(me.children(recursive=True))
    statuses, sizes = Counter(), []
    with Judge(Verify(workers=args.workers), detect().capped(Isolation(args.rung))) as judge:
        for n, judgement in enumerate(judge.judge(tasks), start=1):
            statuses[judgement.status.value] += 1
            if n % max(1, args.programs // 10) == 0:
                below = sum(child.memory_info().rss for child in me.children())
                sizes.append((me.memory_info().rss + below) >> 20)
    after = me.num_fds(), len(me.children(recursive=True))
    left = sorted(path.name for path in folder.iterdir() if path.name != "sluice-identities")
    shutil.rmtree(folder)
    print(f"{args.rung}: {args.programs} programs {dict(statuses)}; MiB of judge and zygotes on the way: {sizes}")
    print(f"descriptors and processes before {before}, after {after}; files {left}")
    if max(sizes) > min(sizes) + 8 or before != after or left:
        sys.exit(1)


def cores(args: argparse.Namespace) -> None:
    """Programs per second of wall time with one worker and with one per core."""
    problems = rows("humaneval.jsonl.gz")
    tasks = [human_eval(p, p["canonical_solution"]) for p in problems] * 3
    for workers in (1, args.workers or len(os.sched_getaffinity(0))):
        settings = Verify(time_limit_s=args.limit, workers=workers)
        with Judge(settings, detect().capped(Isolation(args.rung))) as judge:
            list(judge.judge(tasks[:164]))
            began = time.monotonic()
            list(judge.judge(tasks))
            print(f"{args.rung}, {workers} workers: {len(tasks) / (time.monotonic() - began):.0f} programs/s")


def gsm8k(args: argparse.Namespace) -> None:
    """Reproduce the flags of the recorded solutions from their texts."""
    problems = rows("gsm8k_model_solutions.jsonl.gz")
    for model in MODELS:
        tasks = [
            Task('{"kind":"math","format":"gsm8k"}', json.dumps([{"answer": p["ground_truth"]}]), p[model]["solution"])
            for p in problems
        ]
        judged = judge(tasks, args)
        flags = [p[model]["is_correct"] for p in problems]
        apart = [i for i, (j, flag) in enumerate(zip(judged, flags, strict=True)) if j.all_passed is not flag]
        right = sum(bool(j.all_passed) for j in judged)
        print(f"{model}: {right} of {len(problems)}, recorded {sum(flags)}, apart: {apart}")


def cruxeval(args: argparse.Namespace) -> None:
    """Judge the predicted outputs of 800 functions by running both sides."""
    problems, recorded = rows("cruxeval.jsonl.gz"), rows("cruxeval_o_codellama7b_scored.json.gz")
    predictions, flags = recorded["raw_generations"], recorded["raw_scored_generations"]
    tasks = []
    for problem in problems:
        for guess in predictions[problem["id"]]:
            program = f"{problem['code']}\ndef predicted():\n    return (\n{guess}\n)\n"
            tasks.append(asserts(program, [f"assert predicted() == {problem['output']}"], "predicted"))
    judged = judge(tasks, args)
    counts = [sum(bool(j.all_passed) for j in judged[i : i + 10]) for i in range(0, len(judged), 10)]
    for k in (1, 5):
        print(f"pass@{k}: {100 * sum(pass_at(k, 10, c) for c in counts) / len(counts):.4f} %")
    told = [flag for problem in problems for flag in flags[problem["id"]]]
    apart = [i for i, (j, flag) in enumerate(zip(judged, told, strict=True)) if bool(j.all_passed) is not flag]
    print(f"verdicts that differ from the recorded ones: {len(apart)} of {len(judged)}")
    for i in apart[:20]:
        guess = predictions[problems[i // 10]["id"]][i % 10]
        said = f"recorded {told[i]}, judged {judged[i].status.value} {judged[i].detail[:80]}"
        print(f"    {problems[i // 10]['id']}: {guess[:80]!r} {said}")


def references(args: argparse.Namespace) -> None:
    """Judge the reference solutions of MBPP and LeetCode; print each failure with its reason."""
    mbpp = [
        asserts(
            p["code"],
            [f"{p['test_setup_code']}\n{test}" for test in p["test_list"]],
            entry_of(p["code"], p["test_list"]),
        )
        for p in rows("mbpp.jsonl.gz")
    ]
    report("mbpp", judge(mbpp, args))
    for name in ("leetcode_rllm_train.json.gz", "leetcode_rllm_test.json.gz"):
        problems = rows(name)
        tasks = [asserts(p["solutions"], [p["tests"]["functional"]], "Solution", LEETCODE_PRELUDE) for p in problems]
        report(name, judge(tasks, args))
    print("code_contests_test.json.gz holds no reference solutions: nothing to judge")


def entry_of(code: str, tests: list[str]) -> str:
    """Return the function that MBPP's tests call: the first name they use that the solution defines."""
    defined = set(re.findall(r"^def\s+(\w+)", code, re.MULTILINE))
    return next((name for name in re.findall(r"\w+", " ".join(tests)) if name in defined), "missing")


def report(name: str, judged: list[Judgement]) -> None:
    """Print how many were accepted, and every failure."""
    print(f"{name}: {sum(bool(j.all_passed) for j in judged)} of {len(judged)} accepted")
    for index, judgement in enumerate(judged):
        if not judgement.all_passed:
            print(f"    {index}: {judgement.status.value} {judgement.detail[:150]}")


def cpu_s() -> float:
    """Return the CPU seconds of this process and all its ended children."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def save(args: argparse.Namespace, figures: object) -> None:
    """Write raw figures to the file asked for."""
    if args.out:
        Path(args.out).write_text(json.dumps(figures))


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["humaneval", "speed", "endurance", "cores", "gsm8k", "cruxeval", "references"])
    parser.add_argument("--rung", default=detect().best.value, choices=[rung.value for rung in detect().reached])
    parser.add_argument("--workers", type=int)
    parser.add_argument("--limit", type=float, default=3.0, help="CPU seconds per program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--evalplus", help="Python of an environment with evalplus")
    parser.add_argument("--out", help="file for raw figures")
    args = parser.parse_args()
    getattr(sys.modules[__name__], args.what)(args)


if __name__ == "__main__":
    main()
