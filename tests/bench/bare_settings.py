"""The settings of the portal with the view of `bare_view` besides its own."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.bare_view"
