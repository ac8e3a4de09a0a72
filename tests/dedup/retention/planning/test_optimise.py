"""The cheapest set of tables to keep."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.retention.planning.graph import Graph, Retained, components, useful
from dedup.retention.planning.optimise import by_program, greedy, line, optimal, tree
from tests.dedup.retention.graphs import cheapest, costs, graphs, trees

SOLVERS = (optimal, by_program)


def _fits(graph: Graph, found: Retained) -> None:
    """A deleted table is rebuilt over an edge that exists, from a table that is kept."""
    for child, parent in found.parents.items():
        assert (parent, child) in graph.rebuild
        assert parent not in found.parents
    assert found.cost == pytest.approx(graph.cost(found.parents))


@pytest.mark.parametrize("solve", SOLVERS)
def test_of_two_equal_tables_the_one_that_is_dearer_to_rebuild_stays(solve) -> None:
    """Two tables that contain each other cost 10 to keep and 1 or 2 to rebuild: 11 in all."""
    found = solve(Graph({"A": 10, "B": 10}, {("A", "B"): 1, ("B", "A"): 2}))
    assert ({"B": "A"}, 11) == (found.parents, found.cost)


@pytest.mark.parametrize("solve", SOLVERS)
def test_without_a_rebuild_in_time_both_stay(solve) -> None:
    """An edge that is over the latency limit is not in the graph, and both tables are kept at 16."""
    found = solve(Graph({"A": 10, "B": 6}, {}))
    assert ({}, 16) == (found.parents, found.cost)


@pytest.mark.parametrize("solve", [*SOLVERS, line, tree])
def test_a_line_of_five(solve) -> None:
    """Keep the first, second and fourth; rebuild the third from the second and the fifth from the fourth, at 38."""
    keep = dict(zip("abcde", (20, 9, 8, 7, 6), strict=True))
    found = solve(Graph(keep, dict(zip(zip("abcd", "bcde", strict=True), (4, 1, 3, 1), strict=True))))
    assert ({"c": "b", "e": "d"}, 38) == (found.parents, found.cost)


@pytest.mark.parametrize("solve", SOLVERS)
def test_set_cover_is_solved(solve) -> None:
    """The reduction from set cover: the two sets that cover all five elements are kept, not the largest one."""
    big, sets = 1_000, {"s1": "bcd", "s2": "abc", "s3": "de", "s4": "b"}
    keep = {"root": big, **dict.fromkeys(sets, 1), **dict.fromkeys("abcde", big)}
    rebuild = {("root", name): 0 for name in sets} | {(name, e): 0 for name, has in sets.items() for e in has}
    found = solve(Graph(keep, rebuild))
    assert (big + 2, {"s1", "s4"} | set("abcde")) == (found.cost, set(found.parents))


@given(graphs())
def test_no_choice_of_tables_is_cheaper(graph: Graph) -> None:
    """The answer costs what trying every subset of tables finds, and its bound says so."""
    found = optimal(graph)
    _fits(graph, found)
    assert found.cost == pytest.approx(cheapest(graph)) == found.bound
    assert found.cost <= sum(graph.keep.values())


@given(trees(lines=True))
def test_the_program_of_lines_equals_the_solver(graph: Graph) -> None:
    """Dyn-Lin finds the cost that the integer program finds."""
    assert by_program(graph).cost == pytest.approx(line(graph).cost) == tree(graph).cost
    _fits(graph, line(graph))


@given(trees())
def test_the_program_of_trees_equals_the_solver(graph: Graph) -> None:
    """The tree program finds the cost that the integer program finds."""
    assert by_program(graph).cost == pytest.approx(tree(graph).cost) == optimal(graph).cost
    _fits(graph, tree(graph))


@given(graphs(), st.data())
def test_another_edge_never_costs_more(graph: Graph, data: st.DataObject) -> None:
    """One more way of rebuilding a table leaves the best cost as it was, or lowers it."""
    parent, child = data.draw(st.sampled_from([*graph.keep])), data.draw(st.sampled_from([*graph.keep]))
    if parent == child:
        return
    known = graph.rebuild.get((parent, child), 10**6)
    more = Graph(graph.keep, {**graph.rebuild, (parent, child): min(known, data.draw(costs))})
    assert optimal(more).cost <= optimal(graph).cost + 1e-9


@given(graphs())
def test_greedy_is_an_answer_but_not_a_better_one(graph: Graph) -> None:
    """The greedy answer obeys the same rules and costs at least as much."""
    found = greedy(graph)
    _fits(graph, found)
    assert found.cost >= optimal(graph).cost - 1e-9


def test_greedy_may_be_dearer() -> None:
    """Deleting the largest saving first blocks two others here: 19 instead of 11."""
    keep = {"a": 10, "b": 9, "c": 5, "d": 5}
    graph = Graph(keep, {("b", "a"): 0, ("a", "b"): 1, ("a", "c"): 0, ("a", "d"): 0})
    assert (11, 19) == (optimal(graph).cost, greedy(graph).cost)


@given(graphs(), st.randoms())
def test_the_answer_does_not_depend_on_order(graph: Graph, draw) -> None:
    """Tables and edges in any order give the same answer, not merely the same cost."""
    keep, rebuild = list(graph.keep.items()), list(graph.rebuild.items())
    draw.shuffle(keep)
    draw.shuffle(rebuild)
    assert optimal(graph).parents == optimal(Graph(dict(keep), dict(rebuild))).parents


@given(graphs())
def test_parts_share_no_table(graph: Graph) -> None:
    """Components hold every useful edge once, and no table twice."""
    parts = list(components(useful(graph)))
    names = [name for part in parts for name in part.keep]
    assert len(names) == len(set(names))
    assert useful(graph).rebuild == {pair: cost for part in parts for pair, cost in part.rebuild.items()}


@given(graphs(), st.sampled_from([1e-12, 1e9]))
def test_small_and_large_amounts_are_solved_alike(graph: Graph, factor: float) -> None:
    """Costs of kilobytes in dollars, or of petabytes in cents, do not drown in the solver's tolerances."""
    scaled = Graph(
        {name: cost * factor for name, cost in graph.keep.items()},
        {pair: cost * factor for pair, cost in graph.rebuild.items()},
    )
    assert optimal(scaled).cost == pytest.approx(cheapest(graph) * factor)
