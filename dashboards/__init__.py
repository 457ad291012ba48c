"""Grafana dashboards as code, their generated JSON, and the files that provision them."""
