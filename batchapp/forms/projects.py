"""Forms for projects and their members."""

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.crypto import get_random_string
from django.utils.text import slugify

from batchapp.models import Connection, Membership, Project, User

RESERVED_SLUGS = {"new"}  # addresses of the portal itself
MAX_NAME_LENGTH = 100  # characters
INVISIBLE_CATEGORIES = {"Cc", "Cf", "Zl", "Zp", "Zs"}
# Characters that change the direction of the text after a name.
DIRECTION_MARKS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


class NamedForm(forms.Form):
    """The name of a project, in any script."""

    name = forms.CharField(
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
        error_messages={
            "required": "Give the project a name.",
            "max_length": "A name has at most %(limit_value)d characters, and this has "
            "%(show_value)d. Shorten it.",
        },
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if any(char in DIRECTION_MARKS for char in name):
            raise ValidationError(
                "The name has invisible characters that turn text around. Type it again."
            )
        if all(unicodedata.category(char) in INVISIBLE_CATEGORIES for char in name):
            raise ValidationError("The name has no visible character. Type it again.")
        return name


class ProjectForm(NamedForm):
    """The name and the connection of a new project; sandboxes are listed first.

    The connection decides who is paid, and is never changed: one is preselected only if it is the
    only one with real answers, or the only one at all.
    """

    connection = forms.ModelChoiceField(
        queryset=Connection.objects.order_by("-is_sandbox", "name"),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text="Its batches run there, and the account behind the key pays for them. "
        "It cannot be changed later.",
        error_messages={"required": "Choose where the project's batches run."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connections = list(Connection.objects.all())
        self.has_connections = bool(connections)
        real = [connection for connection in connections if not connection.is_sandbox]
        for choices in (connections, real):
            if len(choices) == 1:
                self.fields["connection"].initial = choices[0].pk

    def unsaved_project(self) -> Project:
        """Return the project with a slug that no other project has.

        A name without Latin letters or digits gets a random slug.
        """
        name = self.cleaned_data["name"]
        slug = slugify(name)[:50].strip("-")
        if not slug or slug in RESERVED_SLUGS or Project.objects.filter(slug=slug).exists():
            suffix = get_random_string(6, "abcdefghijkmnpqrstuvwxyz23456789")
            slug = f"{slug or 'project'}-{suffix}"
        return Project(name=name, slug=slug, connection=self.cleaned_data["connection"])


class MemberForm(forms.Form):
    """A person with an account, named by e-mail address."""

    email = forms.EmailField(
        label="E-mail address",
        error_messages={"required": "Enter the e-mail address of the person to add."},
    )
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
    membership = forms.ModelChoiceField(queryset=Membership.objects.none())
    role = forms.ChoiceField(
        choices=Membership.Role,
        error_messages={
            "required": "Choose one of the roles.",
            "invalid_choice": "Choose one of the roles.",
        },
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        membership = self.fields["membership"]
        if isinstance(membership, forms.ModelChoiceField):
            membership.queryset = project.memberships.select_related("user")
