"""Small lines beside figures."""

from decimal import Decimal

import pytest

from batchapp.presenters.charts.sparkline import HEIGHT, MARGIN, WIDTH, sparkline

LEFT, RIGHT, TOP, BOTTOM = MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN


@pytest.mark.parametrize(
    ("values", "points"),
    [
        (["0", "4", "2"], [(LEFT, BOTTOM), (WIDTH / 2, TOP), (RIGHT, HEIGHT / 2)]),
        (["7"], [(LEFT, TOP), (RIGHT, TOP)]),
        (["0", "0"], [(LEFT, BOTTOM), (RIGHT, BOTTOM)]),
    ],
)
def test_the_line_goes_from_edge_to_edge_and_ends_at_the_last_value(
    values: list[str], points: list[tuple[float, float]]
) -> None:
    drawn = sparkline([Decimal(value) for value in values], "Cost")

    assert [tuple(map(float, point.split(","))) for point in drawn.points.split()] == points
    assert (float(drawn.x), float(drawn.y)) == points[-1]
