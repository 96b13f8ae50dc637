"""The reference page of the API: Swagger UI, served from a package, so that it works without the internet."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

Asset = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"]
_TYPES: Final[dict[Asset, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


@router.get("/docs")
def show_reference() -> HTMLResponse:
    """The page; what it loads lies beside it."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="journeyflow API",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon.png",
    )


@router.get("/docs/{name}")
def show_asset(name: Annotated[Asset, Path()]) -> Response:
    """A file of Swagger UI."""
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, headers={"Cache-Control": "public, max-age=86400"}, media_type=_TYPES[name])
