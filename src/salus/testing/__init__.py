"""The tests that come with each contract: subclass one and every promise is checked."""
