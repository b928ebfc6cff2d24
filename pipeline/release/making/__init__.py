"""From scored texts to the files of a release."""
