"""The commands: parse, call the client, print. Command modules import nothing heavy at the top."""
