"""The objects of the API, as its OpenAPI document describes them.

Routes send dictionaries and no instances of these classes, which would cost more than the query
of a row. Tests compare what is sent with the document.
"""
