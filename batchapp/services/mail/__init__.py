"""E-mails of the portal: kept, sent in the background, and those that were not sent."""
