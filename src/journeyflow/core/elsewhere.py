"""What was done elsewhere to what is a contact's too: an address that it shares, a message that had failed."""

from __future__ import annotations

from journeyflow.core.contact import QueuedMessage
from journeyflow.core.inputs import AddressTurned, MessageRetried
from journeyflow.core.walk import Walker


def learn(walker: Walker, item: AddressTurned | MessageRetried) -> None:
    """Take it in; what follows from it is the caller's affair, as after any change."""
    if isinstance(item, AddressTurned):
        walker.decision.consent_changed()
    else:
        _restore(walker, item)


def _restore(walker: Walker, item: MessageRetried) -> None:
    """The message stands in its run again: the last one before a goal (rule 7.3), and one to withdraw (rule 7.2)."""
    decision = walker.decision
    for run in decision.contact.runs:
        if run.id == item.run and all(one.id != item.message for one in run.queued):
            run.queued.append(QueuedMessage(item.message, item.node, item.channel, item.template, item.to))
            run.last_message = item.message
            if not run.active:
                run.open_until = walker.open_until(run)
            decision.effects.runs[run.id] = (decision.contact.key, run)
    decision.view.correspondence.changed = True
    decision.messages_changed()
