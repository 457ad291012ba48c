"""Addresses that only forms are sent to: who comes there by a link or a login is led to the page above."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/tickets/9/close", "/tickets/9"),
        ("/alerts/7/acknowledge", "/alerts/7"),
        ("/energy/meters/em-1/energy_import/readings", "/energy/meters/em-1/energy_import"),
        ("/energy/meters/import", "/energy/meters"),
        ("/logout", "/"),
    ],
)
def test_the_address_of_a_form_leads_to_the_page_above_it(operator: TestClient, address: str, page: str) -> None:
    answer = operator.get(address, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, page)


def test_a_program_is_told_that_the_address_takes_no_such_method(operator: TestClient) -> None:
    assert operator.get("/tickets/9/close", headers={"Accept": "application/json"}).status_code == 405


@pytest.mark.parametrize(
    ("method", "address", "page"),
    [("GET", "/tickets/999", "/tickets"), ("POST", "/tickets/new", "/tickets/new"), ("GET", "/nowhere", "")],
)
def test_an_error_leads_back_to_the_nearest_page(operator: TestClient, method: str, address: str, page: str) -> None:
    text = operator.request(method, address, headers={"Accept": "text/html"}).text
    assert (f'<a class="btn" href="{page}">Back</a>' in text) == bool(page)
    assert (">Back</a>" in text) == bool(page)
