"""The report as one page that opens anywhere: no script, nothing loaded from elsewhere."""
