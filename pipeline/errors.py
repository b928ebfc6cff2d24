"""The one kind of error that a user can mend."""


class UserError(Exception):
    """Something the user gave cannot be used.

    The message is one line that names the thing (file, row, field, setting) and the remedy. The command
    line prints it and exits with code 2; nothing is left half-written.
    """
