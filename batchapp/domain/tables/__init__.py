"""Tables of people (CSV, TSV, workbooks, JSON), and the requests built from their rows."""
