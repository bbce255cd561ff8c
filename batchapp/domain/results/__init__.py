"""What came back for each request, and the proof that none is missing."""
