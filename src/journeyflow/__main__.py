"""``python -m journeyflow``: the command line."""

from journeyflow.cli.main import app

app()
