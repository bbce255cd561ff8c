"""Tables in every state that the builder's pages show, and what was made of them."""

import csv
import io

import msgspec
from openpyxl import Workbook

from batchapp import tasks
from batchapp.domain.tables import starter_prompts
from batchapp.domain.tables.answer_fields import AnswerField, FieldType, schema_of
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.starter_prompts import Starter
from batchapp.models import Project, SourceTable, User
from batchapp.services.tables import requests_from_table
from tests import make

RECIPE = PromptSettings(
    model=make.MODEL,
    prompt="Ticket of {customer}, sent {sent}:\n\n{text}\n\nWhat is it about?",
    system="Answer with one word: billing, delivery or other.",
    max_tokens=20,
    id_column="ticket",
    empty="stop",
    unsafe_ids="hash",
)
ROWS = [
    ("T-1", "Ana Müller", "2025-11-03", "The invoice shows last month's address."),
    ("T-2", "عمر خالد", "2025-11-04", "متى تصل الطلبية؟"),
    (
        "Größe " + 30 * "ö",
        "Bob",
        "2025-11-05",
        "The parcel {12} came open, and two cups were broken.",
    ),
    ("T-4", "Chloé", "2025-11-06", "I cannot sign in."),
]


LABELS = msgspec.structs.replace(
    starter_prompts.fill(Starter.CLASSIFY, ["id", "review"], [], make.MODEL),
    prompt="Read this review of a product:\n\n{review}",
    response_schema=schema_of(
        [
            AnswerField("label", FieldType.CHOICE, ("positive", "neutral", "negative")),
            AnswerField("product"),
            AnswerField("price", FieldType.NUMBER, is_required=False),
            AnswerField("complaints", FieldType.LIST),
        ]
    ),
)
LONG_NAME = "Wie zufrieden waren Sie mit der Lieferung? " * 4
HOSTILE = PromptSettings(model=make.MODEL, prompt="{<script>x</script>}\n\n{ملاحظات العميل}")

# A text with titles above its header, words for nothing, and a short row.
TEXT = (
    "Tickets;;\nOf November;;\n;;\nticket;text;team\n1,23457E+11;Where is it?;NULL\n"
    "1,23458E+11;N/A;EMEA\nT-3;Too late\n"
)


def seed(project: Project, user: User) -> dict[str, str]:
    """Make the rows; the address of each by its name."""
    version = requests_from_table.save_template(project, user, "Kind of ticket", RECIPE)
    kept = make.make_table(project, user, content=_workbook(ROWS), name="tickets.xlsx")
    requests_from_table.save_settings(kept, user, RECIPE, version)
    gaps = [*ROWS, ("T-5", "Dora", "2025-11-07", ""), ("T-1", "Eve", "2025-11-08", "Twice.")]
    faulty = make.make_table(project, user, content=_workbook(gaps), name="with gaps.xlsx")
    requests_from_table.save_settings(faulty, user, RECIPE, None)
    wide = make.make_table(
        project,
        user,
        content=",".join(f"question {n}" for n in range(500)) + "\n" + ",".join(["yes"] * 500),
        name="survey.csv",
    )
    new = make.make_table(project, user, content=_reviews(500), name="reviews.csv")
    fields = make.make_table(project, user, content=_reviews(500), name="reviews to label.csv")
    requests_from_table.save_settings(fields, user, LABELS, None)
    hostile = make.make_table(project, user, content=_hostile(), name="<b>n</b>" * 25 + ".csv")
    requests_from_table.save_settings(hostile, user, HOSTILE, None)
    text = make.make_table(project, user, content=TEXT, name="support tickets of November.csv")
    unclosed = make.make_table(project, user, content="a,b\n", name="header only.csv")
    noticed = make.make_table(project, user, content=_noticed(), name="orders by region.xlsx")
    made = make.make_table(project, user, content=_workbook(ROWS), name="tickets-october.xlsx")
    requests_from_table.save_settings(made, user, RECIPE, version)
    requests_from_table.request_file(made, user)
    tasks.run(made)
    states = {"reading": SourceTable.Status.READING, "making": SourceTable.Status.MAKING}
    paths = {"table": kept, "table_faulty": faulty, "table_wide": wide, "table_refused": unclosed}
    paths |= {"table_new": new, "table_fields": fields, "table_hostile": hostile}
    paths |= {"table_text": text, "table_noticed": noticed}
    for name, status in states.items():
        table = make.make_table(project, user, prompt_settings=RECIPE, name=f"{name}.csv")
        SourceTable.objects.filter(pk=table.pk).update(status=status)
        paths[f"table_{name}"] = table
    found = {name: str(table.pk) for name, table in paths.items()}
    return found | {"template": str(version.template_id), "from_table": str(made.upload_id)}


def _workbook(rows: list[tuple[str, ...]]) -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.title = "November"
    for row in [("ticket", "customer", "sent", "text"), *rows]:
        sheet.append(row)
    book.create_sheet("Notes")
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _noticed() -> bytes:
    """Return a workbook with a cover, long names, and a sheet that hides, merges and formats."""
    book = Workbook()
    book.active.title = "Cover"
    book.active.append(["Orders of the year"])
    sheet = book.create_sheet("Aufträge nach Region und Monat")
    sheet.append(["region", "postcode", "share", "text"])
    for number in range(8):
        sheet.append(["North", 1_067 + number, number / 8, f"Order {number} came late."])
        sheet.cell(number + 2, 2).number_format = "00000"
        sheet.cell(number + 2, 3).number_format = "# ?/?"
    sheet.merge_cells("A2:A9")
    sheet.row_dimensions[4].hidden = sheet.row_dimensions[5].hidden = True
    sheet.column_dimensions["C"].hidden = True
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _reviews(number: int) -> str:
    things = ["kettle", "desk lamp", "rucksack", "office chair"]
    views = ["arrived late, and the lid is cracked", "does all I want of it", "is what it is"]
    return _csv(
        ["id", "review"],
        *(
            [f"r-{n}", f"The {things[n % 4]} {views[n % 3]}. I paid {20 + n % 60} euros."]
            for n in range(number)
        ),
    )


def _hostile() -> str:
    """Return a table with long, repeated, blank and marked-up names, in several scripts."""
    names = ["<script>x</script>", "", "ملاحظات العميل", "{braces} {{twice}}", "text", "text"]
    cells = ["<img src=x onerror=y>", "x", "وصلت الطلبية متأخرة", "{a}", 60 * "🧾", ""]
    return _csv([LONG_NAME, *names], *2 * [[300 * "word ", *cells]])


def _csv(*rows: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
