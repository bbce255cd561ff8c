"""The days of a report: its periods, the range it is compared with, and the rest of the month."""
