"""From a table to a file that passes the preflight."""

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from batchapp.domain.request_files.check_file import Limits, check
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import Batch, Project, User
from batchapp.services.archive import purge
from batchapp.services.tables import requests_from_table
from tests.answered import answer_table
from tests.domain.tables.sample_workbooks import replaced
from tests.make import MODEL, make_project, writer_in
from tests.views.sample_tables import workbook


def make(tmp_path: Path, table: str | bytes, prompt: str = "Say {text}", **options: Any) -> Path:
    source, target = tmp_path / "table.csv", tmp_path / "out.jsonl"
    source.write_bytes(table if isinstance(table, bytes) else table.encode())
    asked = {"prompt": prompt, "model": "Qwen/Qwen3-14B-FP8", "output": target}
    call_command("make_batch", source, **(asked | options))
    return target


def make_xlsx(tmp_path: Path, **options: Any) -> Path:
    rows = [["id", "when", "text"], ["Größe\t\n3", date(2025, 1, 31), "hello"], ["b", None, ""]]
    return make(tmp_path, workbook(Notes=[["x"], ["y"]], Tickets=rows), **options)


def bodies(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["body"] for line in path.read_text().splitlines()]


def test_every_row_becomes_a_request_that_passes(tmp_path: Path) -> None:
    table = '\ufeffname,text\nana,"two\nlines, {braces}"\nbob,ünï\n'

    path = make(tmp_path, table, system="You are {name}.", max_tokens=50, id_column="name")

    report = check([path.read_bytes()], Limits(max_bytes=10**9))
    assert report.is_valid
    assert report.requests == 2
    assert bodies(path)[0]["messages"] == [
        {"role": "system", "content": "You are ana."},
        {"role": "user", "content": "Say two\nlines, {braces}"},
    ]
    assert json.loads(path.read_text().splitlines()[1])["custom_id"] == "bob"


def test_semicolons_and_other_encodings_are_read(tmp_path: Path) -> None:
    path = make(tmp_path, "id;text\n1;größer\n".encode("cp1252"), encoding="cp1252")

    assert bodies(path)[0]["messages"][0]["content"] == "Say größer"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("Titel;\n;\nid;text\n1;größer\n".encode("cp1252"), "Windows-1252 (Western Europe)"),
        ("id\ttext\r\n1\tgrößer\r\n".encode("utf-16-le"), "UTF-16 (little endian), cells"),
        ("id,text\n1,größer\n2,请退款 谢谢\n".encode("gb18030"), "GB 18030"),
        ('[{"text": "größer"}]'.encode(), "read as UTF-8\n"),
    ],
)
def test_how_the_table_was_read_is_found_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: bytes, says: str
) -> None:
    path = make(tmp_path, table)

    assert bodies(path)[0]["messages"][0]["content"] == "Say größer"
    assert says in capsys.readouterr().out


def test_a_separator_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id,text\ta,b\n1\tHello, you\n")
    target = tmp_path / "out.jsonl"
    options = ["--prompt", "{a,b}", "--model", "m", "-o", str(target), "--separator", "tab"]

    call_command("make_batch", str(tmp_path / "table.csv"), *options)

    assert bodies(target)[0]["messages"][0]["content"] == "Hello, you"


def test_the_row_of_the_header_can_be_chosen(tmp_path: Path) -> None:
    path = make(tmp_path, "a,b\n1,2\ntext,c\nHello,3\n", header_row=3)

    assert [body["messages"][0]["content"] for body in bodies(path)] == ["Say Hello"]


@pytest.mark.parametrize(
    ("table", "options", "complaint"),
    [
        (
            "text\na\n",
            {"prompt": "Say {txt}"},
            "no column txt. Did you mean text\\? The table has: text",
        ),
        ("text\na\n", {"prompt": "Say {text"}, "has no partner"),
        ("text\na\n", {"id_column": "id"}, "no column id"),
        ("text\n", {}, "no rows"),
        ("id,text\n1,a\n1,b\n", {"id_column": "id"}, "row 2: custom_id 1 is the id of row 1 too"),
        ("id,text\nÄ\x7f,a\n", {"id_column": "id"}, "row 1"),
        ("größer\n".encode("cp1252"), {"encoding": "utf-8-sig"}, "Save it as UTF-8"),
    ],
)
def test_faults_are_named_and_nothing_is_written(
    tmp_path: Path, table: str | bytes, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        make(tmp_path, table, **options)

    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_sample_table_works(tmp_path: Path) -> None:
    sample = Path(__file__).parents[3] / "batchapp/data/samples/requests.csv"

    path = make(tmp_path, sample.read_bytes(), prompt="{name}: {meaning}", id_column="name")

    assert len(bodies(path)) == 25


def test_a_sheet_of_a_workbook_is_read(tmp_path: Path) -> None:
    path = make_xlsx(tmp_path, sheet="Tickets", prompt="{when}: {text}", empty="skip")

    assert [body["messages"][0]["content"] for body in bodies(path)] == ["2025-01-31: hello"]


def test_ids_that_no_provider_takes_are_replaced_only_with_a_list(tmp_path: Path) -> None:
    asked = {"sheet": "Tickets", "empty": "skip", "id_column": "id"}
    with pytest.raises(CommandError, match="cannot name this row"):
        make_xlsx(tmp_path, **asked)

    path = make_xlsx(tmp_path, **asked, id_map=tmp_path / "ids.csv")

    custom_id = json.loads(path.read_text())["custom_id"]
    with (tmp_path / "ids.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [*csv.reader(file)] == [
            ["custom_id", "id_in_the_table"],
            [custom_id, "Größe\t\n3"],
        ]


def test_no_list_of_ids_holds_a_formula(tmp_path: Path) -> None:
    table = "id,text\n=cmd|' /C calc'!\x7f1,x\n=a,y\n=a,z\n"

    make(tmp_path, table, id_column="id", duplicate_ids="suffix", id_map=tmp_path / "ids.csv")

    with (tmp_path / "ids.csv").open(encoding="utf-8-sig", newline="") as listed:
        _, (_, strange), pair = csv.reader(listed)
    assert strange == "'=cmd|' /C calc'!\x7f1"
    assert pair == ["'=a-3", "'=a"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--url", "/v1/responses"], "invalid choice"),
        (["--max-tokens", "-5"], "max_tokens must be"),
        (["--max-tokens", "99000000"], "max_tokens must be"),
        (["--temperature", "nan"], "temperature must be"),
        (["--temperature", "2.5"], "temperature must be"),
        (["--model", " "], "model is blank"),
        (["--separator", ",,"], "one character"),
        (["--separator", '"'], "one character"),
    ],
)
def test_what_cannot_run_is_not_written(tmp_path: Path, asked: list[str], says: str) -> None:
    table, target = tmp_path / "table.csv", tmp_path / "out.jsonl"
    table.write_text("text\na\n")
    options = ["--prompt", "{text}", "--model", "m", "-o", str(target), *asked]

    with pytest.raises(CommandError, match=says):
        call_command("make_batch", str(table), *options)

    assert not target.exists()


def test_an_empty_cell_is_an_error_unless_asked_otherwise(tmp_path: Path) -> None:
    table = "id,text\n1,a\n2,\n"

    with pytest.raises(CommandError, match="row 2: Column “text” is empty"):
        make(tmp_path, table)

    assert len(bodies(make(tmp_path, table, empty="keep"))) == 2


def test_what_was_lost_of_the_table_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, workbook(Sheet=[["text"], ["a", "b"], ["c"]]))
    make(tmp_path, workbook(Sheet=[["text", "x"], ["a", "#N/A"], ["b", "=A1"]]))

    told = capsys.readouterr().out
    assert "warning: 1 row has more cells than the header" in told
    assert "warning: 2 cells show an error" in told


def test_a_column_of_formulas_without_values_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        make(tmp_path, workbook(Sheet=[["text"], ["=A1"], ["=A2"]]))

    assert "row 1: Column “text” is empty." in str(caught.value)
    assert "2 cells show an error such as #N/A, or a formula whose value was not" in str(
        caught.value
    )


def test_a_name_that_was_there_gets_the_number_of_its_row(tmp_path: Path) -> None:
    path = make(tmp_path, "id,text\na,x\na,y\n", id_column="id", duplicate_ids="suffix")

    ids = [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]
    assert ids == ["a", "a-2"]


def test_a_table_whose_every_row_is_left_out_gives_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="all 2 rows have an empty cell"):
        make(tmp_path, "id,text\n1,\n2,\n", empty="skip")


def test_without_a_template_a_prompt_and_a_model_are_needed(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Give --prompt and --model, or a --template"):
        make(tmp_path, "text\na\n", prompt=None, model=None)


@pytest.mark.django_db
class TestWithTemplates:
    RECIPE = PromptSettings(
        model="m", prompt="Say {text}", max_tokens=7, empty="skip", unsafe_ids="hash"
    )

    def save(self, prompt_settings: PromptSettings = RECIPE, slug: str = "support") -> None:
        project = Project.objects.filter(slug=slug).first() or make_project(slug=slug)
        requests_from_table.save_template(project, writer_in(project), "Sayings", prompt_settings)

    def test_its_newest_version_says_what_the_options_do_not(self, tmp_path: Path) -> None:
        self.save(PromptSettings(model="old", prompt="Old {text}"))
        self.save()

        path = make(tmp_path, "id,text\n1,a\n2,\n", prompt=None, model="other", template="Sayings")

        (body,) = bodies(path)
        assert body["messages"] == [{"role": "user", "content": "Say a"}]
        assert (body["model"], body["max_tokens"]) == ("other", 7)

    def test_where_several_projects_have_it_one_must_be_named(self, tmp_path: Path) -> None:
        self.save()
        self.save(slug="letters")
        asked = {"prompt": None, "model": None, "template": "Sayings"}

        with pytest.raises(CommandError, match="Several projects have a prompt template Sayings"):
            make(tmp_path, "text\na\n", **asked)
        path = make(tmp_path, "text\na\n", **asked, project="letters")

        assert len(bodies(path)) == 1

    def test_one_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="no prompt template Sayings in support"):
            make(tmp_path, "text\na\n", template="Sayings", project="support")


def test_what_a_sheet_hides_is_said_and_can_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = workbook(S=[["text"], ["one"], ["two"], ["three"]])
    content = replaced(content, "sheet1.xml", b'<row r="3"', b'<row r="3" hidden="1"')

    assert len(bodies(make(tmp_path, content))) == 3
    assert "notice: 1 hidden row is sent, too." in capsys.readouterr().out

    assert len(bodies(make(tmp_path, content, without_hidden="1"))) == 2
    assert "notice: 1 hidden row is left out." in capsys.readouterr().out


def test_merged_cells_are_named_where_they_leave_others_empty(tmp_path: Path) -> None:
    content = workbook(S=[["group", "text"], ["A", "one"], [None, "two"]])
    merged = b'</sheetData><mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
    content = replaced(content, "sheet1.xml", b"</sheetData>", merged)

    with pytest.raises(CommandError, match="merges cells: A2:A3"):
        make(tmp_path, content, prompt="{group}: {text}")


@pytest.fixture
def answered(project: Project, user: User) -> Batch:
    table = "review,sku\nlate,007\nred,008\nnone,009\n"
    answers = ['{"label": "bad", "answer": 1}', '{"label": "good", "answer": 2}', None]
    return answer_table(project, user, table, "Judge {review}", answers)


def make_from_batch(tmp_path: Path, batch: Batch, prompt: str, **options: Any) -> list[str]:
    """Return the prompts of the file that is made."""
    target = tmp_path / "second.jsonl"
    fixed = {"from_batch": str(batch.pk), "prompt": prompt, "model": MODEL, "output": target}
    call_command("make_batch", **fixed | options)
    return [body["messages"][0]["content"] for body in bodies(target)]


@pytest.mark.django_db
def test_answers_of_a_batch_are_a_table_as_on_its_page(tmp_path: Path, answered: Batch) -> None:
    prompt = "{custom_id} {sku} {question} {label} {answer (2)} {outcome}"

    prompts = make_from_batch(tmp_path, answered, prompt)

    ids = list(answered.results.order_by("line").values_list("custom_id", flat=True))
    assert prompts == [
        f"{ids[0]} 007 Judge late bad 1 Answered",
        f"{ids[1]} 008 Judge red good 2 Answered",
    ]


@pytest.mark.django_db
def test_the_answers_are_chosen_as_on_the_page(tmp_path: Path, answered: Batch) -> None:
    assert make_from_batch(tmp_path, answered, "{sku}", search="red") == ["008"]
    assert make_from_batch(tmp_path, answered, "{sku}", outcome="missing") == ["009"]
    assert make_from_batch(tmp_path, answered, "{sku}", outcome="every", own=True) == [
        *("007", "008", "009"),
    ]


@pytest.mark.django_db
def test_answers_that_cannot_be_used_are_refused(tmp_path: Path, answered: Batch) -> None:
    with pytest.raises(CommandError, match="price"):
        make_from_batch(tmp_path, answered, "{price}")
    with pytest.raises(CommandError, match="may not see"):
        make_from_batch(tmp_path, answered, "{sku}", person="stranger@example.com")
    Batch.objects.update(status=Batch.Status.RUNNING)
    with pytest.raises(CommandError, match="still runs"):
        make_from_batch(tmp_path, answered, "{sku}")
    Batch.objects.update(status=Batch.Status.COMPLETED)
    purge.start_purge([answered])
    with pytest.raises(CommandError, match="were deleted on"):
        make_from_batch(tmp_path, answered, "{sku}")


@pytest.mark.django_db
def test_a_table_or_a_batch_must_be_named_and_not_both(tmp_path: Path, answered: Batch) -> None:
    with pytest.raises(CommandError, match="required"):
        call_command("make_batch", output=tmp_path / "out.jsonl")
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("make_batch", "table.csv", "--from-batch", str(answered.pk), "-o", "x")
