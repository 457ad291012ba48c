"""The `wardwatt` command, a module a group of tasks."""
