"""Forms that invite a person, and by which a person accepts an invitation."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.forms.fields import RowField
from batchapp.forms.person_details import NewAccountForm
from batchapp.models import Invitation, Membership, Project, User

DAYS = {1: "1 day", 7: "7 days", 30: "30 days"}  # for which a link may count
USUAL_DAYS = 7


class PortalInvitationForm(forms.Form):
    """An invitation to the portal alone."""

    email = forms.EmailField(
        label="E-mail address",
        required=False,
        help_text="Without an address the link is for anybody who has it, once.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    days = forms.TypedChoiceField(
        label="The link expires after",
        choices=list(DAYS.items()),
        coerce=int,
        initial=USUAL_DAYS,
        error_messages={"invalid_choice": "Choose how long the link counts."},
    )

    def __init__(self, *args: Any, by_mail: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if by_mail:
            self.fields["email"].required = True
            self.fields["email"].error_messages["required"] = "Enter the address to send it to."

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        email = email.lower()
        if email and self._is_known(email):
            raise ValidationError(self.known_message)
        return email

    known_message = "Somebody with this address has an account already."

    def _is_known(self, email: str) -> bool:
        return User.objects.filter(email=email).exists()


class ProjectInvitationForm(PortalInvitationForm):
    """An invitation to a project, also for a person who has an account."""

    role = forms.ChoiceField(
        choices=Membership.Role,
        initial=Membership.Role.EDITOR,
        error_messages={"invalid_choice": "Choose one of the roles."},
    )
    field_order = ("email", "role", "days")
    known_message = "This person is in the project already. Change the role in the list."

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._project = project

    def _is_known(self, email: str) -> bool:
        return self._project.memberships.filter(user__email=email).exists()


class InvitationForm(forms.Form):
    """One of the open invitations of a list."""

    invitation = RowField(queryset=Invitation.objects.none())

    def __init__(self, *args: Any, project: Project | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Invitation.objects.unanswered().filter(project=project)
        self.fields["invitation"].queryset = rows  # type: ignore[attr-defined]


class AcceptForm(NewAccountForm):
    """The account of a person who was invited; an invitation may name the address."""

    email = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )

    def __init__(self, *args: Any, invitation: Invitation, **kwargs: Any) -> None:
        super().__init__(*args, email=invitation.email, **kwargs)
        if invitation.email:
            del self.fields["email"]

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        return email.lower()
