"""An upgraded portal knows the models of Doubleword, and of nobody else."""

from batchapp.models import Connection
from batchapp.services.offered_models.model_table import doubleword_cards
from tests.migrations.conftest import Migrate


def test_only_connections_to_doubleword_get_its_models(migrate: Migrate) -> None:
    old = migrate("0005_table_of_file")
    old.get_model("batchapp", "Connection").objects.create(name="Elsewhere")

    migrate("newest")

    doubleword = Connection.objects.get(name="Doubleword")
    assert doubleword.offered_models.cards() == {card.model: card for card in doubleword_cards()}
    assert not Connection.objects.get(name="Elsewhere").offered_models.exists()
