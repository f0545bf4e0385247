"""The management API: routes parse, call an action and answer. Nothing is decided here but who is at the door."""
