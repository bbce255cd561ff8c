"""The sentences of what a person may not do, each with the next step."""

from batchapp.access import NotAllowed, Right

SENTENCES = {
    Right.SEE: "You are not in {project}. Ask one of its owners to add you.",
    Right.WRITE: "You may look at everything in {project}, but not change it. Ask one of its "
    "owners to make you an editor.",
    Right.MANAGE: "Only owners of {project} may do this. Ask one of them.",
    Right.SPEND: "You may not use this provider key in {project}. Choose one of your own or one "
    "of the project's.",
    Right.STOP: "You may look at everything in {project}, but not stop it. Ask one of its owners "
    "to make you an editor.",
    Right.APPROVE: "Owners of {project} approve and deny batches, and others than the person who "
    "ordered one. Ask one of them.",
    Right.CREATE: "Only administrators of the portal create projects here. Ask one of them.",
    Right.ADMINISTER: "Only administrators of the portal may do this. Ask one of them.",
    Right.AUDIT: "Only administrators and auditors of the portal may see this.",
    Right.IN_PERSON: "A portal key may not do this. Sign in to the portal in a browser.",
}

ARCHIVED = (
    "{project} is archived: everything can be read and downloaded, and nothing new starts. One of "
    "its owners can restore it under Settings."
)


def right_text(refusal: NotAllowed) -> str:
    """Return a sentence with the next step."""
    if refusal.project is None and refusal.key:
        return "This provider key belongs to another person."
    needs_open_project = refusal.right in {Right.WRITE, Right.SPEND}
    if needs_open_project and refusal.project and refusal.project.archived_at:
        return ARCHIVED.format(project=refusal.project)
    return SENTENCES[refusal.right].format(project=refusal.project)
