"""Say of a row what pages, commands and e-mails show. No request and no HTML."""
