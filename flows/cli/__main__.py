"""`python -m parallel_qa.flows.cli` is the command `parallel-qa`."""

from parallel_qa.flows.cli import main

main()
