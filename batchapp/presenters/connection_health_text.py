"""What pages say of the health of a connection: a word, and sentences with the next step."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from batchapp.services.health.connection_health import ConnectionHealth
from batchapp.templatetags.words import count, span


@dataclass(frozen=True, slots=True)
class HealthWord:
    """The health in a word, as a status is shown."""

    label: str
    tone: str
    icon: str


def health_word(health: ConnectionHealth) -> HealthWord:
    if health.is_backing_off:
        return HealthWord("No answer", "bad", "cross")
    if health.connection.failures:
        return HealthWord("Unsure", "warn", "alert")
    if health.has_trouble:
        return HealthWord("Look here", "warn", "alert")
    if health.connection.archived_at:
        return HealthWord("Archived", "quiet", "hold")
    if health.last_answer_at:
        return HealthWord("Answers", "good", "check")
    return HealthWord("Not used yet", "quiet", "clock")


def health_sentences(health: ConnectionHealth) -> list[str]:
    """Return what is wrong, the most urgent first; nothing if all is well."""
    connection, sentences = health.connection, []
    if health.is_backing_off and connection.backoff_until:
        until = timezone.localtime(connection.backoff_until)
        since = connection.down_since or health.now
        sentences.append(
            f"There was no usable answer for {span(max(timedelta(), health.now - since))}, so "
            f"nothing is asked before {until:%H:%M:%S}. The portal then tries again by itself; if "
            "this lasts, check the address and the provider."
        )
    elif connection.failures:
        sentences.append(
            f"The last {count(connection.failures, 'call')} got no usable answer. From the third "
            "on the portal waits longer before it asks again."
        )
    if health.moved_keys:
        sentences.append(
            f"{count(health.moved_keys, 'key')} cannot be used: the address of the connection "
            "changed, or the portal's encryption key. Whoever owns them replaces them."
        )
    if health.refused_keys:
        sentences.append(
            f"The provider refused {count(health.refused_keys, 'key')} at last. Whoever owns "
            "them replaces them."
        )
    if health.stuck:
        sentences.append(
            f"Provider batches that need a person: {health.stuck:,}. Their pages say why, and "
            "members of their projects decide."
        )
    if health.poll_lag and health.poll_lag > connection.key_poll_timeout:
        sentences.append(
            f"A poll is {span(health.poll_lag)} late. Look at the workers on the system page."
        )
    return sentences
