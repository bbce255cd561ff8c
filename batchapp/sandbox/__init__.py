"""The sandbox: a local simulation of the provider, independent of the portal.

The sandbox serves the provider's batch API over HTTP, with the same texts, orders and
peculiarities, and generates answers by fixed rules. The demo, the tests and developers without a
provider key use it.
Source: the provider's open-source server, control-layer 10.13; where the provider's documentation
differs, the sandbox follows the code.

Start a sandbox with ``python manage.py sandbox --port 8095 --data var/sandbox`` or, without
Django, with ``python -m batchapp.sandbox`` and the same options.

Keys. Every ``sk-...`` is an account of its own; ``pk-...`` and ``dw-platform-...`` are accepted
by the management API only. These texts inside an inference key change its account:

- ``-nocredit``: the balance is negative, so creating a batch returns 402.
- ``-zerocredit``: the balance is zero, so a batch is accepted and each request fails with 402.
- ``-revoked``: the key is unknown, so every call returns 401.

Directives. ``body.user`` of a request may set its outcome (see ``language_model.outcomes``):

- ``sandbox:fail=400`` (or another status, or ``timeout``): the request ends in the error file.
- ``sandbox:fail-once=500``: the first attempt fails, and a retry succeeds.
- ``sandbox:refuse``: the model refuses; for the provider that is a success.
- ``sandbox:length``: the answer is truncated, and ``finish_reason`` is ``length``.
- ``sandbox:empty``: the answer has no text.
- ``sandbox:non-json``: the response body is not JSON, so the output line contains a string.
- ``sandbox:slow``: the request takes three times as long as its batch would.

Faults. A key may contain switches, each after a ``~``: ``sk-ana~lost-reply/create#1~slow=2``
loses the response to the first create and sends every response two seconds late. The command line
and the control API accept the same switches for all keys (see ``faults.switches``).

Direct requests. ``/v1/chat/completions``, ``/v1/embeddings`` and ``/v1/responses`` answer at once,
streamed, or for responses in the background. ``sandbox:break`` ends a stream in the middle.

Prompt cache. ``--prompt-cache`` bills marked prompts as the provider does (see ``prompt_cache``).

Ledger. ``GET /_sandbox/ledger``, from this host only, or ``--data FOLDER --ledger`` shows every
batch that was ever created and its cost, with sums for each metadata value.

Webhooks. A webhook registered with ``pk-NAME`` receives events about the batches of ``sk-NAME``.
"""
