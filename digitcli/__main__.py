"""Lets `python -m digitcli` do what `digitcli` does."""

from digitcli.cli import main

main()
