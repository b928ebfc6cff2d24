"""The formats of other tools, one a file: `write` puts a release's examples into a folder, `fewest_negatives` says which are left out."""
