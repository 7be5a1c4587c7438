"""The command line: each file one command, all reachable as `fediomt <command>`."""
