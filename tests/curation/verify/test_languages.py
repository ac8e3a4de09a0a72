"""C++ and JavaScript programs are judged as Python's are, where their toolchains are installed."""

from __future__ import annotations

import json
import shutil

import pytest

from curation.verify import Judge, Task
from schemas.enums import Isolation, Status

TESTS = json.dumps([{"input": "2 3\n", "output": "5"}, {"input": "4 5", "output": "9"}])
CPP = {
    "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }": Status.AC,
    '#include <cstdio>\nint main() { int a, b; freopen("/dev/stdin", "r", stdin); scanf("%d%d", &a, &b); '
    'printf("%d", a + b); }': Status.AC,
    "int f(int n) { volatile char x[99]; x[0] = n; return n ? 1 + f(n - 1) + 0 * x[0] : 0; }\n"
    '#include <cstdio>\nint main() { if (f(300000) == 300000) puts("no"); }': Status.WA,
    "#include <iostream>\n#include <compare>\nstruct P { int x; auto operator<=>(const P &) const = default; };\n"
    "int main() { int a, b; std::cin >> a >> b; std::cout << (P{1} < P{2} ? a + b : 0); }": Status.AC,
    "#include <iostream>\n#include <iterator>\nusing namespace std;\nint data[9];\n"
    "int main() { typeof(data[0]) b; cin >> data[0] >> b; cout << data[0] + b; }": Status.AC,
    "#include <atomic>\n#include <cstdio>\n#include <thread>\n#include <vector>\nint main() { int a, b; "
    'scanf("%d%d", &a, &b); std::atomic<int> n{a}; std::vector<std::thread> v; '
    "for (int i = 0; i < 32; i++) v.emplace_back([&] { n++; }); for (auto &t : v) t.join(); "
    'printf("%d", n + b - 32); }': Status.AC,
    "int main({": Status.CE,
    '#include "/etc/passwd"\nint main() {}': Status.CE,
    "int main() { for (;;) ; }": Status.TLE,
    "int main() { volatile int *p = 0; return *p; }": Status.RE,
    "#include <unistd.h>\nint main() { return fork() < 0 ? 7 : 0; }": Status.RE,
    "#include <vector>\nint main() { std::vector<char> v; for (;;) v.resize(v.size() * 2 + 1, 1); }": Status.MLE,
    '#include <cstdio>\nint main() { for (;;) puts("x"); }': Status.OLE,
    '#include <cstdio>\nint main() { puts("6"); }': Status.WA,
}  # fmt: skip
JAVASCRIPT = {
    "const d = require('fs').readFileSync(0, 'utf8').split(/\\s+/).map(Number); console.log(d[0] + d[1])": Status.AC,
    "const d = require('fs').readFileSync('/dev/stdin', 'utf8').split(/\\s+/); console.log(+d[0] + +d[1])": Status.AC,
    "console.log(6)": Status.WA,
    "while (1);": Status.TLE,
    "throw new Error('no')": Status.RE,
    "console.log(5": Status.CE,
    "eval('(')": Status.RE,
    "require('child_process').execSync('id')": Status.RE,
    "require('net').connect(80, '127.0.0.1').on('connect', () => console.log(5))": Status.RE,
}


@pytest.mark.parametrize("rung", [Isolation.L2, Isolation.L3])
@pytest.mark.parametrize(("tool", "language", "programs"), [("g++", "cpp", CPP), ("node", "javascript", JAVASCRIPT)])
def test_other_languages(judges: dict, rung: Isolation, tool: str, language: str, programs: dict[str, Status]) -> None:
    """Compile errors, limits, crashes and escapes of compiled and interpreted programs get their status."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    judge: Judge = judges[rung]
    spec = {"kind": "stdio", "language": language}
    limits = [2 if status is Status.TLE else 20 for status in programs.values()]
    verifiers = [json.dumps({**spec, "time_limit": limit}) for limit in limits]
    judged = judge.judge(Task(verifier, TESTS, program) for verifier, program in zip(verifiers, programs, strict=True))
    assert list(programs.values()) == [judgement.status for judgement in judged]
