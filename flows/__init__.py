"""When it runs: Prefect flows, the command line, console output and schedules."""
