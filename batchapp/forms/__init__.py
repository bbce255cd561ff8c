"""Forms that check what people type; each error is a sentence that says what to do."""
