"""What is installed and imported. In a checkout the folders beside this file are links to those of the repository."""
