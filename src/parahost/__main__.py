"""``python -m parahost``: the command."""

from parahost.cli.main import main

main()
