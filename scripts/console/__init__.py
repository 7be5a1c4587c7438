"""What every command shares: output, exit codes, options."""
