"""A small FastAPI application: a page, a JSON API, a database."""
