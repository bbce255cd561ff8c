"""The sentences of the checks before an order, each with the next step."""

from collections.abc import Callable
from typing import Any

from django import template

from batchapp.domain.windows import spaced
from batchapp.presenters.sentences import Data, Sentence, make_sentence, with_quote
from batchapp.services.orders.readiness import Check, CheckCode
from batchapp.templatetags.words import usd

register = template.Library()


@register.filter
def readiness_text(check: Check) -> str:
    return make_sentence(SENTENCES, check.code, check.data)


@register.filter
def readiness_error(check: Check) -> str:
    """Return how the call to the provider failed, in technical words; "" if it did not."""
    error: str = check.data.get("error", "")
    return error


def _quoting(advice: str) -> Callable[[Data], str]:
    """Give the advice, and then the provider's own words."""

    def sentence(data: Data) -> str:
        return with_quote(advice.format(connection=data["connection"]), data)

    return sentence


def _models_offered(data: Data) -> str:
    models: list[Any] = data["models"]
    name = models[0] if len(models) == 1 else f"all {len(models):,} models of the file"
    return f"{data['connection']} offers {name}."


def _model_not_offered(data: Data) -> str:
    # The file's page offers another model only in place of a model without a price.
    step = (
        "Set another model, on the file's page or in the file itself"
        if data["is_unpriced"]
        else "Correct the model in the file and upload it again"
    )
    hint = f" Is it {data['near']}?" if data["near"] else ""
    offer = f"{data['connection']} does not offer {data['model']} to this key."
    return f"{offer}{hint} {step}, or choose a key that may use it."


def _balance(data: Data) -> str:
    account = " behind the platform key" if data["is_of_platform_key"] else ""
    return f"The account{account} has {usd(data['balance'])}"


def _balance_spent(data: Data) -> str:
    add = f"Add credits at {data['connection']} first."
    return f"{_balance(data)}: requests would fail. {add}"


def _balance_not_compared(data: Data) -> str:
    return f"{_balance(data)}; as a price is missing, nobody knows whether that is enough."


def _balance_below_expected(data: Data) -> str:
    return (
        f"{_balance(data)}, which is below the expected cost of ~{usd(data['expected'])}. "
        f"Requests fail once it is used up: add credits at {data['connection']} first."
    )


def _balance_below_most(data: Data) -> str:
    most = data["most"]
    limit = "nothing bounds the cost" if most is None else f"it may be up to {usd(most)}"
    expected = usd(data["expected"])
    return f"{_balance(data)}: enough for the about {expected} expected, but {limit}."


def _balance_enough(data: Data) -> str:
    return f"{_balance(data)}: enough, however long the answers are."


def _window_cheaper(data: Data) -> str:
    return (
        f"If the answers can wait, the {spaced(data['window'])} window is expected to cost about "
        f"{usd(data['expected'])} rather than {usd(data['expected_now'])}."
    )


SENTENCES: dict[CheckCode, Sentence] = {
    CheckCode.BALANCE_BELOW_EXPECTED: _balance_below_expected,
    CheckCode.BALANCE_BELOW_MOST: _balance_below_most,
    CheckCode.BALANCE_ENOUGH: _balance_enough,
    CheckCode.BALANCE_NOT_COMPARED: _balance_not_compared,
    CheckCode.BALANCE_NOT_TOLD: (
        "{connection} does not tell this key its balance. Check there that it is enough."
    ),
    CheckCode.BALANCE_SPENT: _balance_spent,
    CheckCode.CONNECTION_ARCHIVED: (
        "{connection} is archived: nothing new begins there. Ask an administrator to use it again."
    ),
    CheckCode.IDS_ONLY_COUNT: (
        "The custom_ids only count (“{custom_id}”). An id that names its subject, such as an "
        "order number, tells you later what an answer is about."
    ),
    CheckCode.KEY_MOVED: (
        "The address of {connection} was changed after the key was entered, and the key is not "
        "sent there. Replace the key, or choose another one."
    ),
    CheckCode.KEY_REFUSED: _quoting(
        "{connection} refuses the key. Choose another one, or replace it."
    ),
    CheckCode.KEY_TAKEN: "{connection} takes the key.",
    CheckCode.KEY_UNREADABLE: "The stored key cannot be read any more. Replace it.",
    CheckCode.MODEL_NOT_OFFERED: _model_not_offered,
    CheckCode.MODELS_NOT_LISTED: (
        "{connection} lists no models for this key, so yours were not checked."
    ),
    CheckCode.MODELS_NOT_TOLD: _quoting(
        "{connection} does not say which models it offers, so they were not checked."
    ),
    CheckCode.MODELS_OFFERED: _models_offered,
    CheckCode.NO_ANSWER: (
        "{connection} gave no usable answer just now. You may submit: the portal keeps trying, "
        "and sends the batch once it gets one."
    ),
    CheckCode.NOT_ASKED: (
        "{connection} was not asked, as its address or the key is malformed. Choose another "
        "key, or have an administrator correct the address."
    ),
    CheckCode.DIVIDED: (
        "It is divided by model into {provider_batches:,} provider batches, since {connection} "
        "takes one model in a file. They stay one batch here."
    ),
    CheckCode.SPLIT: (
        "It is sent as {provider_batches:,} provider batches, since {connection} takes {limits} a "
        "file. They stay one batch here."
    ),
    CheckCode.WINDOW_BY_SETTING: (
        "The {window:window} window is on offer here. That is this portal's own setting."
    ),
    CheckCode.WINDOW_CHEAPER: _window_cheaper,
    CheckCode.WINDOW_NOT_FOR_MODEL: (
        "{connection} does not run {model} in the {window:window} window, by its own list. "
        "It offers: {windows:window}."
    ),
    CheckCode.WINDOW_NOT_OFFERED: "The {window} window is not on offer. Choose one of: {windows}.",
    CheckCode.WINDOW_OFFERED: "{connection} offers the {window:window} window.",
}
