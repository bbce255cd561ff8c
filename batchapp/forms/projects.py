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


class LookForm(NamedForm):
    """The name of a project and the colour of its mark."""

    colour = forms.TypedChoiceField(
        choices=Project.Colour,
        coerce=int,
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose one of the colours.",
            "invalid_choice": "Choose one of the colours.",
        },
    )


class ProjectForm(NamedForm):
    """The name and the connection of a new project; sandboxes are listed first.

    The connection decides who is paid, and is never changed: one is preselected only if it is the
    only one with real answers, or the only one at all.
    """

    connection = forms.ModelChoiceField(
        queryset=Connection.objects.in_use().order_by("-is_sandbox", "name"),
        empty_label=None,
        widget=forms.RadioSelect,
        help_text="Its batches run there, and the account behind the key pays for them. "
        "It cannot be changed later.",
        error_messages={"required": "Choose where the project's batches run."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connections = list(Connection.objects.in_use())
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
            membership.queryset = project.memberships.of_people().select_related("user")


class OwnRoleForm(forms.Form):
    """The lower role that an owner takes."""

    role = forms.ChoiceField(
        choices=[
            choice for choice in Membership.Role.choices if choice[0] != Membership.Role.OWNER
        ],
        initial=Membership.Role.EDITOR,
        widget=forms.RadioSelect,
        error_messages={
            "required": "Choose one of the roles.",
            "invalid_choice": "Choose one of the roles.",
        },
    )


class MemberField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not at run time
    """A choice among members, each with the present role."""

    def label_from_instance(self, obj: Membership) -> str:
        return f"{obj.user} ({obj.get_role_display()})"


class TransferForm(forms.Form):
    """The member who becomes an owner, and what becomes of the person who gives it away."""

    LEAVE = "leave"

    membership = MemberField(
        queryset=Membership.objects.none(),
        label="New owner",
        empty_label="Choose a member",
        error_messages={
            "required": "Choose the member who becomes the owner.",
            "invalid_choice": "This person is no longer a member. Choose another.",
        },
    )
    own_role = forms.ChoiceField(
        label="You",
        choices=[
            (Membership.Role.EDITOR, "stay as an editor"),
            (Membership.Role.VIEWER, "stay as a viewer"),
            (LEAVE, "leave the project"),
        ],
        initial=Membership.Role.EDITOR,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, project: Project, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        membership = self.fields["membership"]
        if isinstance(membership, forms.ModelChoiceField):
            others = project.memberships.of_people().filter(user__is_active=True)
            membership.queryset = others.exclude(user=user).select_related("user")


class DeletionForm(forms.Form):
    """The name of the project, typed by hand, so that nobody deletes one by a slip."""

    name = forms.CharField(
        label="Name of the project",
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
        error_messages={"required": "Type the name of the project."},
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name.strip() != self.project.name.strip():
            raise ValidationError("This is not the name of the project. Type it as it is above.")
        return name
