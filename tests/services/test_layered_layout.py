"""Where nodes are drawn: below what leads to them, apart from each other, in the middle of their neighbours."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyflow.services.layered_layout import Edge, Layout, Sizes, lay_out

SIZES = Sizes(100.0, 20.0, 10.0)
graphs = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just([*range(count)]),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30),
    )
)


def x(layout: Layout[int], node: int) -> float:
    return layout.places[node][1]


@given(graphs)
def test_edges_lead_down_except_those_that_close_a_loop(graph: tuple[list[int], list[Edge[int]]]) -> None:
    layout = lay_out(*graph, SIZES)

    for source, target in graph[1]:
        upper, lower = layout.places[source][0], layout.places[target][0]
        assert source == target or (lower < upper if (source, target) in layout.back else upper < lower)


@given(graphs)
def test_nothing_lies_on_something_else_nor_outside(graph: tuple[list[int], list[Edge[int]]]) -> None:
    layout = lay_out(*graph, SIZES)

    rows: dict[int, list[tuple[float, float]]] = {}
    for layer, place in layout.places.values():
        rows.setdefault(layer, []).append((place, SIZES.node))
    for bends in layout.bends.values():
        for layer, place in bends:
            rows.setdefault(layer, []).append((place, SIZES.bend))
    for row in rows.values():
        for (one, one_width), (other, other_width) in combinations(row, 2):
            assert abs(one - other) >= (one_width + other_width) / 2 + SIZES.space - 1e-6
        assert all(width / 2 - 1e-6 <= place <= layout.width - width / 2 + 1e-6 for place, width in row)
    assert sorted(rows) == [*range(layout.layers)]


@given(graphs)
def test_an_edge_has_a_bend_in_each_layer_that_it_crosses(graph: tuple[list[int], list[Edge[int]]]) -> None:
    layout = lay_out(*graph, SIZES)

    for (source, target), bends in layout.bends.items():
        here, there = layout.places[source][0], layout.places[target][0]
        if (source, target) in layout.back:
            assert [layer for layer, _ in bends] == [*range(here, there - 1, -1)]
        else:
            assert [layer for layer, _ in bends] == [*range(here + 1, there)]


def test_a_chain_is_a_straight_line() -> None:
    layout = lay_out([0, 1, 2, 3], list(pairwise(range(4))), SIZES)

    assert [layout.places[node] for node in range(4)] == [(layer, 50.0) for layer in range(4)]
    assert layout.width == 100


def test_a_node_stands_in_the_middle_above_its_branches() -> None:
    layout = lay_out([0, 1, 2, 3], [(0, 1), (0, 2), (0, 3)], SIZES)

    assert [x(layout, node) for node in (1, 2, 3)] == pytest.approx([50, 170, 290])
    assert x(layout, 0) == pytest.approx(170)


def test_branches_that_would_cross_are_put_side_by_side() -> None:
    layout = lay_out([0, 1, 2, 3, 4], [(0, 1), (0, 2), (1, 4), (2, 3)], SIZES)

    assert (x(layout, 1) < x(layout, 2)) == (x(layout, 4) < x(layout, 3))


def test_a_loop_is_drawn_beside_its_nodes() -> None:
    layout = lay_out([0, 1, 2], [(0, 1), (1, 2), (2, 1)], SIZES)

    assert layout.back == {(2, 1)}
    (_, first), (_, last) = layout.bends[2, 1]
    assert first > x(layout, 2)
    assert last > x(layout, 1)


def test_a_long_loop_does_not_drift_away() -> None:
    chain = list(pairwise(range(12)))

    layout = lay_out([*range(12)], [*chain, (11, 0)], SIZES)

    assert layout.width < 300


def test_nothing_at_all_can_be_laid_out() -> None:
    assert lay_out([], [], SIZES).layers == 0
