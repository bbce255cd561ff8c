import pytest

from batchapp.models import Project, ProviderKey, Upload, User
from tests.make import make_key, make_upload


@pytest.fixture
def upload(project: Project, user: User) -> Upload:
    return make_upload(project, user, name="tickets.jsonl")


@pytest.fixture
def key(project: Project) -> ProviderKey:
    return make_key(project)
