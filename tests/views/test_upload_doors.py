"""Every view that receives files says who may send them, before a body is read."""

from django.urls import URLPattern, URLResolver, get_resolver

from tests.variables import ROOT

# The views that receive files, by the module that reads them from the request.
DOORS = {
    "views/files/file_upload.py": {"file_list", "order_start"},
    "views/offered_models/offered_model_import.py": {"offered_model_import"},
    "views/prices/price_import.py": {"price_import"},
    "views/tables/table_start.py": {"table_add"},
}


def patterns(resolver: URLResolver) -> list[URLPattern]:
    found = []
    for each in resolver.url_patterns:
        found += patterns(each) if isinstance(each, URLResolver) else [each]
    return found


def test_every_module_that_reads_files_is_known() -> None:
    modules = (ROOT / "batchapp").rglob("*.py")
    reading = {path for path in modules if "request.FILES" in path.read_text()}

    assert {str(path.relative_to(ROOT / "batchapp")) for path in reading} == set(DOORS)


def test_the_views_that_receive_files_and_no_others_are_marked() -> None:
    marked = {
        pattern.name
        for pattern in patterns(get_resolver())
        if hasattr(pattern.callback, "require_sender")
    }

    assert marked == set().union(*DOORS.values())
