"""The top floor: the web application, its security and the `wardwatt` command. It alone wires parts together."""
