"""A local stand-in for the provider, a process of its own that knows nothing of the portal.

It speaks the provider's batch API over real HTTP, with its texts, orders and oddities, and
answers by rule instead of by model: the demo, the tests and a laptop without a key use it.
Source: the provider's open-source server, control-layer 10.13; where its documentation says
otherwise, its code was followed.

Start one with ``python manage.py sandbox --port 8095 --data var/sandbox`` or, without
Django, ``python -m batchapp.sandbox`` with the same options.

Keys. Any ``sk-...`` is an account of its own; ``pk-...`` and ``dw-platform-...`` open the
management API only. Some words inside an inference key put its account in a bad way:

- ``-nocredit``: the balance is negative, so creating a batch answers 402.
- ``-zerocredit``: the balance is nought, so a batch is accepted and each request fails with 402.
- ``-revoked``: the key is unknown, so everything answers 401.

Directives. ``body.user`` of a request may say how its model call goes (see ``behaviour``):

- ``sandbox:fail=400`` (or another status, or ``timeout``): the request ends in the error file.
- ``sandbox:fail-once=500``: it fails at first and succeeds when it is retried.
- ``sandbox:refuse``: the model declines; for the provider that is a success.
- ``sandbox:length``: the answer is cut in the middle, ``finish_reason`` is ``length``.
- ``sandbox:empty``: the answer has no text.
- ``sandbox:non-json``: the response body is not JSON, so the output line holds a string.
- ``sandbox:slow``: it takes three times as long as its whole batch would.

Faults. A key may also carry switches, each behind a ``~``: ``sk-ana~lost-reply/create#1~slow=2``
loses the reply to its first create and answers everything two seconds late (``switches`` has the
language, ``fault_kinds`` all of its words). ``--fault``, ``--faults FILE`` and, from this host
only, ``POST /_sandbox/faults`` put them in force for every key. What is left to chance falls by
``--seed``; what was met and has struck is counted in the database, so a restart repeats nothing.

Proofs. ``GET /_sandbox/ledger``, from this host only, or ``--data FOLDER --ledger`` shows every
batch there ever was, whether it was paid, and sums by each metadata value.

Webhooks. One registered with ``pk-NAME`` tells of the batches of ``sk-NAME``.
"""
