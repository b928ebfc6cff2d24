"""Which pairs and languages make a batch: a pure function of (release, settings, epoch, step)."""
