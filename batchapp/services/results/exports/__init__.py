"""Exports of results: files of chosen rows and columns, each format in a module of its own."""
