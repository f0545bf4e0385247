"""One function for each thing a person can do: its first line is the permission, its last the audit row."""
