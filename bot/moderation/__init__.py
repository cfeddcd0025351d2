"""What a space's admins want to be asked for, and want to see first."""
