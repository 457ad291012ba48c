"""The pages: view functions that make view models, templates that lay them out, routes that serve both."""
