"""What each model of a batch was expected to cost, and did."""

from decimal import Decimal

from django.db import models

from batchapp.domain.pricing import UnitPrice
from batchapp.models.batch import Batch
from batchapp.models.money import MoneyField


class Charge(models.Model):
    """One model of one batch: the prices it was shown, frozen, the estimate and the settlement.

    Prices are USD per million tokens and empty where the price table had none. Costs stay empty
    where there was no price: unknown is not free.
    """

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="charges")
    model = models.CharField(max_length=200)
    requests = models.PositiveIntegerField()
    input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    realtime_input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    realtime_output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)

    estimated_input_tokens = models.PositiveBigIntegerField()
    estimated_output_tokens = models.PositiveBigIntegerField()
    estimated_cost_usd = MoneyField(null=True)

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    answers_without_usage = models.PositiveIntegerField(
        default=0, help_text="Answers whose tokens the provider did not say: the cost is a floor."
    )
    cost_usd = MoneyField(null=True)
    realtime_cost_usd = MoneyField(null=True, help_text="The same tokens at the realtime price.")

    class Meta:
        ordering = ["batch", "model"]
        constraints = [models.UniqueConstraint("batch", "model", name="one_charge_per_model")]

    def __str__(self) -> str:
        return f"{self.batch}: {self.model}"

    @property
    def unit_price(self) -> UnitPrice | None:
        return _unit_price(self.input_price, self.output_price)

    @property
    def realtime_price(self) -> UnitPrice | None:
        return _unit_price(self.realtime_input_price, self.realtime_output_price)


def _unit_price(input_price: Decimal | None, output_price: Decimal | None) -> UnitPrice | None:
    if input_price is None or output_price is None:
        return None
    return UnitPrice(input=input_price, output=output_price)
