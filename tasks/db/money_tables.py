"""The tables of money: prices, the ledger, and budgets. All amounts are micro-dollars."""

from piccolo.columns import JSON, UUID, BigInt, Boolean, Timestamptz, Varchar
from piccolo.table import Table

from tasks.db import ids


class ModelPrice(Table, tablename="model_price"):
    """The price of a model, as its page at Replicate said it, or as an admin has set it. A change is another row."""

    id = UUID(primary_key=True, default=ids.new)
    model = Varchar(length=300, index=True)  # owner/name
    listed = JSON()  # as on the page, see tasks/models/prices.py
    source = Varchar(length=400)  # the address of the page; /prices for one's own
    since = Timestamptz()  # when it was first read, or set
    checked_at = Timestamptz()  # when it was last read, or set


class Ledger(Table, tablename="ledger"):
    """What was held for jobs and released again, what each attempt cost, and what people have put right since.

    Rows are only added, and stay.
    """

    id = UUID(primary_key=True, default=ids.new)
    at = Timestamptz(index=True)
    job = UUID(index=True)
    attempt = UUID(null=True, default=None, unique=True)
    kind = Varchar(length=8, default="settle")  # see tasks/jobs/ledger.py
    owner = UUID(null=True, default=None)  # the person of the job
    api_key = UUID(null=True, default=None)  # the key that the job was requested with
    model = Varchar(length=300)  # owner/name
    micros = BigInt()
    basis = Varchar(length=16)  # see tasks/models/costs.py
    price = JSON(default="{}")  # that it was computed with, see tasks/jobs/ledger.py; of an adjustment, its note
    pretend = Boolean(default=False)  # whether the stand-in made it: then nothing was charged


class Budget(Table, tablename="budget"):
    """A limit to what is spent in a day, a month or in total: by a person, with a key, on a model, or by all."""

    id = UUID(primary_key=True, default=ids.new)
    scope = Varchar(length=8)  # see tasks/jobs/budgets.py
    subject = Varchar(length=300, default="")  # the id of the person or the key, or owner/name of the model
    name = Varchar(length=300, default="")  # of the subject, as people know it: anna, anna/ci
    period = Varchar(length=8)
    amount = BigInt()
    spent = BigInt(default=0)  # from starts_at on: the sum of the ledger
    held = BigInt(default=0)  # the sum of what jobs hold of it
    starts_at = Timestamptz()
    ends_at = Timestamptz(null=True, default=None)  # when `spent` starts over; None for a budget in total
    warned_at = Timestamptz(null=True, default=None)  # when most of it was used, in this day or month
    created_at = Timestamptz()


MONEY_TABLES: list[type[Table]] = [ModelPrice, Ledger, Budget]
