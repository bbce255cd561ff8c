"""The tests have the tree of the package, so that the tests of a module are easy to find."""

from pathlib import Path

from tests.variables import ROOT

PACKAGE, TESTS = ROOT / "batchapp", ROOT / "tests"
PACKAGE_FOLDERS = {
    *("services", "domain", "providers", "models", "views", "forms", "presenters", "pipeline"),
    *("api", "templatetags", "management", "sandbox", "migrations", "storage", "outbound"),
}
WHOLE_SYSTEM_FOLDERS = {"journeys", "faults", "browser", "bench", "corpus", "fuzz", "processes"}
SHORT = 60  # lines of a module that may go without tests of its own

# A test module -> the modules of services and domain that it covers beside its own.
COVERS = {
    "services/reports/test_cross_tab.py": {
        *("services/reports/dimensions.py", "services/reports/line.py"),
    },
    "api/test_files.py": {
        *("services/files/checked_upload.py", "services/results/result_files.py"),
    },
    "services/statements/test_closing.py": {"services/statements/unstated.py"},
    "views/statements/test_statement_pages.py": {
        *("services/statements/statement_lines.py", "services/statements/sums.py"),
    },
    "pipeline/test_rebuild_batch.py": {"services/lifecycle/harvest/rebuild_results.py"},
    "domain/answer_lengths/test_expectation.py": {"domain/answer_lengths/length.py"},
    "journeys/test_first_requests.py": {"services/lifecycle/first_requests.py"},
    "views/notifications/test_inbox.py": {"services/notifications/inbox.py"},
    "views/notifications/test_preferences.py": {"services/notifications/preferences.py"},
    "views/batches/test_saved_views.py": {"services/saved_views/saved_views.py"},
    "views/projects/test_budgets.py": {"services/budgets/budget_use.py"},
    "views/people/test_sessions.py": {"services/people/sessions.py"},
    "views/people/test_first_run.py": {"services/people/first_administrator.py"},
    "domain/corrections/test_corrector.py": {"domain/corrections/correction_rules.py"},
    "domain/request_files/formats/test_conversion.py": {
        *("domain/request_files/formats/bedrock.py", "domain/request_files/formats/gemini.py"),
    },
    "domain/request_files/test_check_file.py": {
        "domain/request_files/check_lines.py",
        *("domain/request_files/findings.py", "domain/request_files/limits.py"),
        *("domain/request_files/line_report.py", "domain/request_files/report.py"),
        "domain/request_files/reading/json_errors.py",
        "domain/request_files/rules/request_line.py",
        "domain/request_files/rules/request_rules.py",
    },
    "domain/request_files/rules/test_request_warnings.py": {
        "domain/request_files/rules/answer_schema.py",
        "domain/request_files/rules/known_fields.py",
        "domain/request_files/rules/strict_schema.py",
    },
    "domain/request_files/rules/test_request_body.py": {
        *("domain/request_files/rules/attachments.py", "domain/request_files/rules/inputs.py"),
        *("domain/request_files/rules/messages.py", "domain/request_files/rules/parameters.py"),
        *("domain/request_files/rules/combinations.py", "domain/request_files/rules/tools.py"),
    },
    "services/webhooks/test_fan_out.py": {"services/webhooks/payload.py"},
    "services/reuse/test_reduced_file.py": {
        *("domain/reuse/reuse_plan.py", "services/reuse/digested_files.py"),
        *("services/reuse/find_answers.py", "services/reuse/offers.py"),
        *("services/reuse/reused_results.py", "services/results/reused_answers.py"),
    },
    "domain/results/test_outcome.py": {
        "domain/results/answer_bodies.py",
        "domain/results/error_messages.py",
    },
    "domain/tables/test_number_formats.py": {"domain/tables/date_formats.py"},
    "domain/tables/test_table_reader.py": {
        *("domain/tables/csv_rows.py", "domain/tables/text_tables.py"),
    },
    "domain/tables/test_workbooks.py": {"domain/tables/workbook_archive.py"},
    "domain/tokens/test_counting.py": {"domain/tokens/token_ratio.py"},
    "domain/tokens/test_vocabularies.py": {"domain/tokens/qwen3_5_vocabulary.py"},
    "domain/tokens/test_model_prompt.py": {
        *("domain/tokens/harmony_prompt.py", "domain/tokens/qwen_prompt.py"),
        "domain/tokens/tool_prompts.py",
    },
    "services/audit/test_seal_events.py": {
        *("services/audit/delete_old_events.py", "services/audit/verify_seals.py"),
    },
    "services/imports/test_start_import.py": {
        "services/imports/fetch_file.py",
        "services/imports/import_batch.py",
    },
    "services/lifecycle/harvest/test_fetch_results.py": {
        "services/lifecycle/harvest/match_lines.py",
        "services/lifecycle/harvest/unmatched_lines.py",
    },
    "services/lifecycle/test_submit.py": {"services/lifecycle/find_created_batch.py"},
    "services/lifecycle/test_poll_key.py": {"services/providers/circuit_breaker.py"},
    "services/results/test_retry_file.py": {
        *("services/results/chunk_files.py", "services/results/merge.py"),
    },
    "services/tables/test_open_table.py": {"domain/tables/read_process.py"},
    "views/direct/test_request_list.py": {"services/direct/request_list.py"},
    "views/files/test_file_correction.py": {"services/files/correct_file.py"},
    "views/files/test_files.py": {"services/files/upload_intake.py"},
    "views/reports/test_cost_report.py": {
        *("services/reports/cost_report.py", "services/reports/cost_rows.py"),
        "services/reports/scope.py",
    },
    "views/reports/test_estimate_accuracy.py": {"services/reports/estimate_accuracy.py"},
    "views/results/test_unmatched_lines.py": {"services/results/browse.py"},
    "views/tables/test_table_builder.py": {
        *("services/tables/preview_requests.py", "services/tables/requests_from_table.py"),
    },
    "services/results/columns/test_compare_columns.py": {
        "services/results/columns/compare_accuracy.py",
        "services/results/columns/compare_index.py",
    },
    "services/results/columns/test_open_columns.py": {
        *("services/results/columns/build.py", "services/results/columns/freshness.py"),
        *("services/results/columns/schema.py", "services/results/columns/source_rows.py"),
        *("services/results/columns/columns_reader.py", "domain/results/result_filter.py"),
    },
    "services/results/exports/test_formats.py": {
        *("services/results/exports/content.py", "services/results/exports/csv.py"),
        *("services/results/exports/export_columns.py", "services/results/exports/parquet.py"),
        *("services/results/exports/joined_jsonl.py", "services/results/exports/xlsx.py"),
    },
}


def folders_of_tests() -> set[str]:
    return {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("*/*.py")}


def mirrored_tests() -> list[Path]:
    """Return the test modules in package folders, relative to ``tests``."""
    paths = (path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
    return sorted(path for path in paths if path.parts[0] in PACKAGE_FOLDERS)


def module_of(test: Path) -> Path | None:
    """Return the module that ``test`` is named after: ``test_poll_late.py`` tests ``poll.py``."""
    name = test.stem.removeprefix("test_")
    modules = [path.stem for path in (PACKAGE / test.parent).glob("*.py")]
    fitting = [module for module in modules if name == module or name.startswith(f"{module}_")]
    return PACKAGE / test.parent / f"{max(fitting, key=len)}.py" if fitting else None


def test_every_folder_of_tests_is_one_of_the_package_or_one_of_the_whole_system() -> None:
    assert folders_of_tests() <= PACKAGE_FOLDERS | WHOLE_SYSTEM_FOLDERS
    assert {folder for folder in PACKAGE_FOLDERS if not (PACKAGE / folder).is_dir()} == set()


def test_every_test_module_is_named_after_a_module_of_the_same_folder() -> None:
    assert len(mirrored_tests()) > 100
    assert [str(test) for test in mirrored_tests() if module_of(test) is None] == []


def test_a_test_module_without_its_module_is_noticed() -> None:
    assert module_of(Path("services/lifecycle/test_poll_key.py")) == (
        PACKAGE / "services/lifecycle/poll_key.py"
    )
    assert module_of(Path("services/lifecycle/test_polling.py")) is None


def test_every_longer_module_of_services_and_domain_has_tests() -> None:
    tested = {module_of(test) for test in mirrored_tests()}
    covered = set().union(*COVERS.values())
    modules = [*(PACKAGE / "services").rglob("*.py"), *(PACKAGE / "domain").rglob("*.py")]
    untested = {
        str(module.relative_to(PACKAGE))
        for module in modules
        if len(module.read_text().splitlines()) > SHORT and module not in tested
    }

    assert untested - covered == set()


def test_the_list_of_covered_modules_names_only_what_exists_and_has_no_tests_of_its_own() -> None:
    tested = {
        str(module.relative_to(PACKAGE)) for module in map(module_of, mirrored_tests()) if module
    }
    covered = set().union(*COVERS.values())

    assert [test for test in COVERS if not (TESTS / test).is_file()] == []
    assert [module for module in covered if not (PACKAGE / module).is_file()] == []
    assert covered & tested == set()
