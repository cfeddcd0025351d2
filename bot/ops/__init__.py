"""What an operator needs: ownership of a data folder, logs, health, clean-up, and a look at what is wrong."""
