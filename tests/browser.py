"""What a browser makes of HTML."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import Page


def texts_shown(page: Page, fragments: Sequence[str]) -> list[str]:
    """What the browser shows of each fragment of HTML, put into an empty page by itself."""
    shown: list[str] = page.evaluate(
        """texts => texts.map(text => {
            document.body.innerHTML = text;
            const shown = document.body.innerText;
            document.body.replaceChildren();
            return shown;
        })""",
        list(fragments),
    )
    return shown
