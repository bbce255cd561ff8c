"""Charts as SVG: bars over time, distributions, sparklines, ranges; each with its text."""
