"""What the dashboard shows: reads that stay quick over a million generations, no wider than the viewer's rights."""
