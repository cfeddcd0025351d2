"""`python -m bot` is `seedream-bot`."""

from bot.cli import main

main()
