"""The configuration of the portal: settings, entry points, and the task queue."""
