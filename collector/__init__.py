"""MQTT in, readings out: subscribe, decode, map, check, write, and only then acknowledge."""
