"""The pages that people read: view functions that make view models, templates that lay them out, routes that serve both."""
