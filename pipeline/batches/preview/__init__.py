"""What training would see: shares that were drawn beside those to expect."""
