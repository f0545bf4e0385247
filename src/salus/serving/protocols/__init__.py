"""What a body means, one file a protocol. None of them knows sockets or threads."""
