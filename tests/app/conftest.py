"""Handlers that tests register are imported by workers alone: they are not looked for examples."""

collect_ignore = ["app_test_handlers.py", "conftest.py"]
