"""What is remembered: tables, blobs by content hash, the job queue, the audit chain. Knows no HTTP and nobody's rights."""
