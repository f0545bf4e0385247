"""The seam between the two halves: a job in, records out. The only room that sees both learning and remembering."""
