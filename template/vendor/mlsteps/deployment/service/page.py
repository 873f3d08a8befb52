"""The pages for people: each is sent whole, with headers that let it load nothing else."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from .reply import Reply

# Sent, a page holds these files.
STYLE = re.compile('<link rel="stylesheet" href="(.*?)">')
SCRIPT = re.compile('<script src="(.*?)"></script>')


def page(name: str) -> Reply:
    """Return the page with a form for one question."""
    return _read(name)


def docs() -> Reply:
    """Return the page that shows openapi.json; FastAPI's own loads its script from elsewhere."""
    return _read("docs.html")


@cache
def _read(name: str) -> Reply:
    folder = resources.files(__package__)
    html = _text(folder, name)
    html = STYLE.sub(lambda link: f"<style>\n{_text(folder, link[1])}</style>", html)
    html = SCRIPT.sub(lambda link: f"<script>\n{_text(folder, link[1])}</script>", html)
    policy = (
        f"default-src 'none'; script-src {_hashes(html, 'script')}; "
        f"style-src {_hashes(html, 'style')}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Reply(200, html.encode(), headers)


def _text(folder: Traversable, name: str) -> str:
    return folder.joinpath(name).read_text(encoding="utf-8")


def _hashes(html: str, tag: str) -> str:
    """Name the inline scripts or styles of the page, so that no other may run."""
    bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
    digests = (hashlib.sha256(body.encode()).digest() for body in bodies)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
