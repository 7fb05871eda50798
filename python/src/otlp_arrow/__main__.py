"""`python -m otlp_arrow`."""

from otlp_arrow._cli import main

main()
