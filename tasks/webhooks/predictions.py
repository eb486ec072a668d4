"""What the `webhook` of a job is sent that came in by Replicate's door: the prediction, in place of a thin event.

The transaction that ends a job cannot make it, as it needs the job's outputs and model. So it is made when it is sent
first, and kept, so that every try sends the same.
"""

import msgspec

from tasks.accounts import signed_addresses
from tasks.db.webhook_tables import WebhookDelivery
from tasks.files.storage import Storage
from tasks.library import cards
from tasks.library.prediction_shape import shaped
from tasks.outbox.events import REPLICATE
from tasks.settings import settings

OF_DELETED = (
    "UPDATE webhook_delivery SET body = '' WHERE url IS NOT NULL AND body <> ''"
    " AND job IN (SELECT id FROM job WHERE deleted_at IS NOT NULL AND origin = {})"
)


async def written(delivery: WebhookDelivery, storage: Storage) -> str | None:
    """Return the body of a claimed delivery that has none yet, and keep it. Returns None when its job was deleted.

    Raises Failure when storage is unavailable.
    """
    found = await cards.by_ids([delivery.job])
    if not found or found[0].job.deleted_at is not None:
        return None
    sign = await signed_addresses.sign_for(delivery.owner)
    [prediction] = await shaped(found, settings.public_url, storage, sign)
    body = msgspec.json.encode(prediction).decode()
    mine = (WebhookDelivery.id == delivery.id) & (WebhookDelivery.claim == delivery.claim)
    await WebhookDelivery.update({WebhookDelivery.body: body}).where(mine)
    return body


async def erase_deleted() -> None:
    """Erase the predictions of jobs that are deleted: they hold prompts, unlike events."""
    await WebhookDelivery.raw(OF_DELETED, REPLICATE)
