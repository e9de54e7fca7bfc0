"""When something runs: cron expressions, schedules in words, and time zones."""
