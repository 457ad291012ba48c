"""Who may do what, and the record of who did: people, passwords, sessions, tokens, roles, audit."""
