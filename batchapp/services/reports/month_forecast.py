"""What the month of a report will cost, from the costs of the days before."""

from dataclasses import replace
from datetime import date, timedelta

from batchapp.domain.reports.forecast import HISTORY_DAYS, Forecast, forecast
from batchapp.domain.reports.periods import month_end
from batchapp.services.reports.cost_report import sum_over_time
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope


def month_forecast(scope: Scope, total: Line, today: date) -> Forecast | None:
    """Return the forecast of a report on the present month, of which ``total`` is the sum so far.

    None for any other range, with too few days, or with a cost without a price: nobody knows then
    what a day cost. A report of some of its batches only has none either.
    """
    is_this_month = scope.first == today.replace(day=1) and today <= scope.last <= month_end(today)
    if not is_this_month or total.unpriced or scope.only:
        return None
    yesterday = today - timedelta(days=1)
    history = replace(scope, first=today - timedelta(days=HISTORY_DAYS), last=yesterday)
    _, days = sum_over_time(history)
    if any(day.unpriced for day in days):
        return None
    days_left = (month_end(today) - today).days
    return forecast(total.cost_usd, [day.cost_usd for day in days], days_left)
