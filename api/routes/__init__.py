"""The JSON API: one module a subject, thin handlers, each route with its heading in docs/api.md."""
