"""The pages of the audit: of the portal, of one project, and of one event."""
