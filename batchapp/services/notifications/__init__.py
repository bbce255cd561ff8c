"""Tell people what happened: who gets which notice, their inboxes, e-mails and preferences."""
