"""The forecast of a month: the amounts, and how they were found."""

from dataclasses import dataclass
from datetime import date

from batchapp.domain.reports.forecast import Forecast
from batchapp.presenters.charts.rail import Rail, rail
from batchapp.templatetags.words import count, usd, usd_range


@dataclass(frozen=True, slots=True)
class ForecastCard:
    """``figure`` is the expected amount, ``between`` the range, ``method`` how both were found."""

    month: str
    figure: str
    between: str
    method: str
    rail: Rail


def forecast_card(forecast: Forecast | None, today: date) -> ForecastCard | None:
    if forecast is None:
        return None
    low, high = usd_range(forecast.low, forecast.high)
    days = count(forecast.days_left, "day")
    rest_low, rest_high = usd_range(forecast.low_rest, forecast.high_rest)
    in_a_row = "any one day" if forecast.days_left == 1 else f"any {days} in a row"
    return ForecastCard(
        month=f"{today:%B}",
        figure=f"~{usd(forecast.usual)}",
        between=f"{low} to {high}",
        method=f"{usd(forecast.so_far)} so far, and {days} after today. In the last "
        f"{count(forecast.history, 'day')}, {in_a_row} cost {rest_low} to {rest_high}, and "
        f"{usd(forecast.usual_rest)} on average; the rest of the month is taken to cost the same.",
        rail=rail(forecast.low, forecast.high, expected=forecast.usual),
    )
