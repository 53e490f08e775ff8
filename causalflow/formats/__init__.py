"""Formats: graphs as other tools write them, each read to a `Graph` and written from one."""
