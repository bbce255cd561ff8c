"""What pages, commands and e-mails say of a row. No request and no HTML."""
