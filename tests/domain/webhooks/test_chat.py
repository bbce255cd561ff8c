"""Texts as chat programs take them: people's words make no links and mention nobody."""

import json

from batchapp.domain.webhooks.chat import MAX_TEXT, ChatText, slack_message, teams_message

TEXT = ChatText(
    "<!channel> & friends", ["9 of 10 usable", "*bold* [x](https://evil.example)"], "https://p/1/"
)


def test_slack_gets_one_text_in_which_names_mention_nobody() -> None:
    assert slack_message(TEXT) == {
        "text": "*&lt;!channel&gt; &amp; friends*\n9 of 10 usable\n"
        "*bold* [x](https://evil.example)\n<https://p/1/|Open in Batchapp>"
    }


def test_teams_gets_a_card_whose_texts_are_no_markdown() -> None:
    message = teams_message(TEXT)

    (attachment,) = message["attachments"]
    card = attachment["content"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    texts = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert texts == [TEXT.title, *TEXT.lines]
    assert card["actions"][0]["url"] == "https://p/1/"


def test_a_long_text_is_cut_before_a_chat_program_refuses_it() -> None:
    text = ChatText("Title", ["a" * MAX_TEXT, "b" * MAX_TEXT], "https://p/1/")

    assert len(slack_message(text)["text"]) < MAX_TEXT + 200
    assert "b" not in json.dumps(teams_message(text)["attachments"][0]["content"]["body"][2])[30:]
