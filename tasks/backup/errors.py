"""The error with which a backup, a restore or a check of the files ends without having been made."""


class BackupError(Exception):
    """What stands in the way. The message is one line for the operator."""
