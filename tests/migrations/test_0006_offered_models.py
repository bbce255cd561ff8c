"""An upgraded portal knows the models of Doubleword, and of nobody else."""

from batchapp.models import Connection
from batchapp.services.offered_models.model_table import doubleword_cards
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0005_table_of_file", "0006_offered_models"


def test_only_connections_to_doubleword_get_its_models(migrate: Migrate) -> None:
    Rows(migrate(BEFORE)).create("Connection", name="Elsewhere")

    migrate(AFTER)

    doubleword, elsewhere = Connection.objects.only("name").order_by("name")
    assert (doubleword.name, elsewhere.name) == ("Doubleword", "Elsewhere")
    assert doubleword.offered_models.cards() == {card.model: card for card in doubleword_cards()}
    assert not elsewhere.offered_models.exists()
