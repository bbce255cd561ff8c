"""Pages for administrators of the portal."""
