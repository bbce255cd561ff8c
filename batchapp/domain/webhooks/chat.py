"""Write a short text as the incoming webhooks of chat programs take it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 2_000  # characters of all lines together; chat programs refuse far longer messages


@dataclass(frozen=True, slots=True)
class ChatText:
    """A headline, lines of plain text, and the page that tells more."""

    title: str
    lines: Sequence[str]
    link: str
    link_title: str = "Open in Batchapp"


def slack_message(text: ChatText) -> dict[str, Any]:
    """Return the message for Slack, and for programs that take the same, such as Mattermost.

    Names that people chose mention nobody and make no links.
    Source: https://docs.slack.dev/messaging/formatting-message-text
    """
    lines = [f"*{_escaped(text.title)}*", *map(_escaped, _shortened(text.lines))]
    return {"text": "\n".join([*lines, f"<{text.link}|{_escaped(text.link_title)}>"])}


def teams_message(text: ChatText) -> dict[str, Any]:
    """Return the card for a workflow of Microsoft Teams that posts what a webhook sends.

    Its runs of text, unlike other texts of cards, are not read as Markdown.
    Source: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to
    """
    title = {"type": "TextRun", "text": text.title, "weight": "Bolder", "size": "Medium"}
    runs = [[title], *([{"type": "TextRun", "text": line}] for line in _shortened(text.lines))]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": inlines} for inlines in runs],
        "actions": [{"type": "Action.OpenUrl", "title": text.link_title, "url": text.link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [attachment]}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shortened(lines: Sequence[str]) -> list[str]:
    shortened: list[str] = []
    left = MAX_TEXT
    for line in lines:
        if len(line) > left:
            return [*shortened, line[:left] + "…"]
        shortened.append(line)
        left -= len(line)
    return shortened
