"""The checks of a round, a file each; `scripts.federation.verify` runs them in the order in which things follow."""
