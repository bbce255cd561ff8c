"""Projects and the people in them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.crypto import get_random_string
from django.utils.text import slugify

from batchapp.models import Connection, Membership, Project, User

RESERVED = {"new"}
"""Slugs that the portal's own addresses use."""


class ProjectForm(forms.Form):
    name = forms.CharField(max_length=100, error_messages={"required": "Give the project a name."})
    connection = forms.ModelChoiceField(
        queryset=Connection.objects.all(),
        empty_label=None,
        help_text="The provider that its batches run at. It cannot be changed later.",
        error_messages={"required": "Choose where the project's batches run."},
    )

    def make(self) -> Project:
        """The project that was asked for, under an address of its own, unsaved."""
        name = self.cleaned_data["name"]
        slug = slugify(name)[:50].strip("-") or "project"
        if slug in RESERVED or Project.objects.filter(slug=slug).exists():
            slug = f"{slug}-{get_random_string(6, 'abcdefghijkmnpqrstuvwxyz23456789')}"
        return Project(name=name, slug=slug, connection=self.cleaned_data["connection"])


class MemberForm(forms.Form):
    """Somebody who has an account, by e-mail address."""

    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(choices=Membership.Role, initial=Membership.Role.MEMBER)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_email(self) -> User:
        email = self.cleaned_data["email"].strip().lower()
        user = User.objects.filter(email=email, is_active=True).first()
        if user is None:
            raise ValidationError(
                "Nobody with this address has an account. Check the spelling, or ask an operator "
                "to add the person."
            )
        if Membership.objects.filter(project=self.project, user=user).exists():
            raise ValidationError(f"{user} is in the project already. Change the role below.")
        return user


class RoleForm(forms.Form):
    """Whom to give which role."""

    membership = forms.ModelChoiceField(queryset=Membership.objects.none())
    role = forms.ChoiceField(choices=Membership.Role)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        membership = self.fields["membership"]
        if isinstance(membership, forms.ModelChoiceField):
            membership.queryset = project.memberships.select_related("user")
