"""Tables of people (CSV, TSV, workbooks), and the requests built from their rows."""
