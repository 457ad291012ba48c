"""The API's description for programs, as OpenAPI."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request

from api.responses import Json
from api.security.access import require

router = APIRouter(prefix="/api/v1", tags=["description"], dependencies=[Depends(require("viewer"))])


@router.get("/openapi.json", response_class=Json)
def openapi(request: Request) -> Json:
    """Give the description of all routes that programs use."""
    return Json(request.app.openapi())
