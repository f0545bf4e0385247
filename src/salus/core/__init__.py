"""Words that every room shares. Standard library and pydantic only; imports no other room."""
