"""What people type, read and checked; each error is a sentence that says what to do."""
