import pytest

from batchapp.models import Connection
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.services.providers.provider_advice import advice_for


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_and_the_providers_own_words(
    reason: Reason, *, is_sent: bool
) -> None:
    refusal = ProviderRejected("creating: HTTP 400: No.", 400, "No.", reason)

    advice = advice_for(refusal, Connection(name="Doubleword"), is_sent=is_sent)

    assert "Doubleword" in advice
    assert advice.endswith("(Doubleword said: No.)")
