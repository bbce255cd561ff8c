"""The words of the portal that a newcomer does not know yet, each with a hint."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

register = template.Library()

# Word of the glossary -> its hint, as short as can be read in passing.
TERMS = {
    "request": "One line of a file: one question to a model. Each request gets one result.",
    "JSONL": "A text file with one JSON object on each line. Here each line is one request.",
    "custom_id": (
        "The name that you give a request in its file. Its result has the same, so that you can "
        "match the two."
    ),
    "context": (
        "The tokens that a model takes in all: the prompt and the answer together. A request that "
        "needs more fails."
    ),
    "model card": (
        "What is known of a model: what it takes, its context, its most new tokens. Each has its "
        "source."
    ),
    "tokens": (
        "The pieces of text that models read and write, about four letters of English each. "
        "Prices are per million of them."
    ),
    "check": "Reading a file line by line before anything is sent. It costs nothing.",
    "finding": (
        "What the check says of a line. A file with an error cannot be sent; a warning lets it "
        "pass."
    ),
    "connection": (
        "A provider that a project sends its batches to, with its address, limits and prices."
    ),
    "provider key": "The secret that a connection is used with. The account behind it pays.",
    "portal key": (
        "A secret from this portal with which a script uses one project, in place of a person "
        "who signs in."
    ),
    "service key": "A portal key that belongs to a project, and goes on whoever leaves.",
    "sandbox": "A stand-in for a provider: the answers are made up, and nothing is paid.",
    "completion window": "How long the provider may take. A longer window usually costs less.",
    "fall back": (
        "To run in a longer completion window if the provider has no room in the one you chose."
    ),
    "estimate": (
        "What a batch may cost, worked out before it is sent: at least, expected and at most."
    ),
    "hold": "A batch on hold keeps its requests and answers until an owner ends the hold.",
    "realtime": "The price of the same requests if you sent them one by one, for comparison.",
    "max_tokens": (
        "The limit that a request sets on its answer. Without one there is no highest price."
    ),
    "no price": "The price table does not know the model. The cost is unknown, not zero.",
    "cost": "The tokens that were used, at the prices of the time when the batch was submitted.",
    "batch": "A file of requests that was submitted: sent once and paid once.",
    "tag": "A short word that your project gives to batches, to find them and add up their cost.",
    "budget": "What may be spent in each month. An order reserves its expected cost from it.",
    "cost centre": "Who bears the cost of a batch. Reports add up what each cost centre spends.",
    "provider batch": (
        "One of the batches at the provider that make up a batch here. A large file needs several."
    ),
    "slot": (
        "Room for one provider batch. A provider runs only so many at a time; the others wait."
    ),
    "needs attention": (
        "The batch stopped until a person decides. Its page says why, and what to do."
    ),
    "outcome": "How a request ended: answered, failed, expired, cancelled, or without a result.",
    "unmatched line": (
        "A line of a result file that answers no request. It is kept, and counts for nothing."
    ),
    "seal": "A digest of events of the audit. Whoever changes an event breaks its seal.",
    "retry": "A new batch of requests that got no good answer. It has its own price.",
    "retry in place": (
        "Running what failed or was cancelled again, in the same batch at the provider."
    ),
    "merged results": (
        "One line for each request: its best answer, from the batch or one of its retries."
    ),
    "import": "To follow a batch from here that was made elsewhere with the same provider key.",
    "webhook": (
        "A message of the provider that a batch has ended, so that its results come at once."
    ),
}


@register.simple_tag
def term(word: str, shown: str = "") -> SafeString:
    """Return ``word`` as a button that shows its hint; ``shown`` is another form of the word.

    The hint is a popover, so that a click or a tap opens it without a script, and no table cuts
    it off. Its id is that of the word: use each word once on a page.
    """
    return format_html(
        '<button type="button" class="term" popovertarget="{id}" popovertargetaction="show"'
        ' aria-describedby="{id}">{shown}</button><span class="hint" id="{id}" popover>{hint}'
        "</span>",
        id=f"term-{slugify(word)}",
        shown=shown or word,
        hint=TERMS[word],
    )
