"""What a page says of a browser in which a person is signed in."""

import re
from dataclasses import dataclass

from allauth.usersessions.models import UserSession

# The first that a browser names of itself decides: most name others, too.
BROWSERS = {
    "Edge": r"Edg(e|A|iOS)?/",
    "Opera": r"OPR/|Opera",
    "Samsung Internet": r"SamsungBrowser/",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrome/|CriOS/|HeadlessChrome/",
    "Safari": r"Safari/",
}
SYSTEMS = {
    "Android": r"Android",
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Windows": r"Windows",
    "macOS": r"Macintosh|Mac OS X",
    "ChromeOS": r"CrOS",
    "Linux": r"Linux|X11",
}


@dataclass(frozen=True, slots=True)
class SessionRow:
    session: UserSession
    browser: str
    is_this: bool


def session_row(session: UserSession, *, is_this: bool) -> SessionRow:
    return SessionRow(session, browser_name(session.user_agent), is_this)


def browser_name(user_agent: str) -> str:
    """Return "Firefox on Linux" for what a browser says of itself, as far as it is known."""
    browser, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if not browser:
        return "Another program"
    return f"{browser} on {system}" if system else browser


def _first(names: dict[str, str], user_agent: str) -> str:
    return next((name for name, sign in names.items() if re.search(sign, user_agent)), "")
