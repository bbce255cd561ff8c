FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 DATA_DIR=/data
WORKDIR /app

COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --require-hashes --requirement requirements/base.txt

COPY manage.py Procfile ./
COPY config config
COPY batchapp batchapp
COPY templates templates
COPY docs/guide docs/guide

# The folders belong to the portal's user, and so does a volume that is first mounted there.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin portal \
    && install --directory --owner=portal /data /data/files
USER portal

# Every start without secrets makes its own; these are not for the image.
RUN python manage.py collectstatic --noinput && rm -r /data/secrets

EXPOSE 8000
CMD ["python", "manage.py", "serve", "web"]
