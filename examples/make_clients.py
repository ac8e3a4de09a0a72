"""Makes clients.csv: 4,000 made-up clients of a telephone company, of which nobody exists.

    python examples/make_clients.py > examples/clients.csv

Whether a client leaves (`churned`) depends on three things only: leaving is likely (80 %) for contracts by the month
of less than 18 months, whatever the client's age; for the others it is unlikely (15 %), but for those above 64 with
a support call (60 %). Education, city, income and gender say nothing about it, and much about the person.
"""

from __future__ import annotations

import csv
import random
import sys

CLIENTS = 4_000
SEED = 20260101

JOBS = {"student": (18, 27), "clerk": (20, 66), "engineer": (24, 66), "nurse": (21, 66), "retired": (61, 92)}
CITIES = ["Aarau", "Basel", "Chur", "Davos", "Egg", "Flims"]
CONTRACTS = ["monthly", "yearly", "two years"]


def clients(count: int) -> list[dict[str, object]]:
    """Return made-up clients."""
    draw = random.Random(SEED)
    rows = []
    for number in range(count):
        job = draw.choices(list(JOBS), [1, 4, 2, 2, 2])[0]
        age = draw.randint(*JOBS[job])
        education = draw.choices(
            ["school", "apprenticeship", "university"], [1, 1, 3] if job == "engineer" else [2, 3, 1]
        )[0]
        income = (
            None
            if draw.random() < 0.05
            else int(round(draw.lognormvariate(10.8 + 0.3 * (job == "engineer"), 0.35), -2))
        )
        contract = draw.choices(CONTRACTS, [3, 3, 2])[0]
        months = draw.randint(1, 60)
        calls = min(9, int(draw.expovariate(0.8)))
        if contract == "monthly" and months < 18:
            leaves = 0.8
        elif age > 64 and calls > 0:
            leaves = 0.6
        else:
            leaves = 0.15
        rows.append(
            {
                "client": f"K{number:05d}",
                "age": age,
                "gender": draw.choice(["f", "m"]),
                "job": job,
                "education": education,
                "city": draw.choices(CITIES, [9, 8, 4, 2, 1, 1])[0],
                "income": income,
                "contract": contract,
                "months": months,
                "calls": calls,
                "churned": int(draw.random() < leaves),
            }
        )
    return rows


if __name__ == "__main__":
    made = clients(CLIENTS)
    writer = csv.DictWriter(sys.stdout, list(made[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(made)
