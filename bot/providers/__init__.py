"""One module per way of talking to an image API; `base` holds the port that they implement."""
