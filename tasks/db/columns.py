"""The columns of a table as this version knows them.

A newer version, whose processes run beside ours while it is installed, may have added some. "SELECT *" returns those,
too, and Piccolo accepts no row with them.
"""

from piccolo.table import Table


def listed(table: type[Table], name: str = "") -> str:
    """Return all columns of a table for SQL, in place of "*". name: the table's in the query, when it needs one."""
    before = f"{name}." if name else ""
    return ", ".join(f'{before}"{column._meta.db_column_name}"' for column in table._meta.columns)
