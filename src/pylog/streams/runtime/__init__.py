"""What runs a topology: threads, tasks, restoring, commits, queries."""
