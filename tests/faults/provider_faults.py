"""The faults of the provider in a storm.

Each line is the faults of one key, written as they stand in the key. A batch survives all of them
without a person: no fault is about the account, and none lasts longer than the portal is told that
it may. Faults of result files have an end, so that the provider's files can be compared with the
portal's. A key with faults of webhooks is registered for webhooks.
"""

import re

FAULTS = [
    "lost-reply/create#1~lost-reply/upload#1~webhook-duplicate",
    "lost-request/create#1~lost-request/upload#1~error/batch,batches#20%",
    "error-after/create#1~html/batch,batches#1,3~html-after/upload#1",
    "html-after/create#1~repeat=20~swap#1-3~cut#1",
    "wrong-types/batches,batch#1~unknown-status/batches,batch#2~lag=3",
    "unavailable/upload#1~unavailable-after/create#1~empty/batch,batches#2~counts-back#2",
    "empty/create#1~cut-clean#1~missing=30#1-2",
    "late-request=8/create#1~slow=6/batch,batches#2~trickle/content#1",
    "refuse=3/batch,batches#2~shuffle#1-2~x-incomplete",
    "restart/content#1~restart-after/create#1~error/upload#1",
    "restart-after/upload#1~restart/batch,batches#2~torn#1~invalid-utf8#2",
    "reopen/batch~counts-odd#1~cut-announced#1~stranger#1",
    "busy/create#1~lost-reply/cancel#1",
    "capacity/create#1~error/content#1~webhook-late=4~webhook-lost#1",
    "late-landing=3~vanish=50/batches#3-6~webhook-disorder",
    "cancel-before-population/cancel#1~lost-reply/create#1",
    "",
]

# Faults of a key without room in the first completion window. The second line finds no room in the
# other window either; the third has room for the first provider batch only, so that the second one
# must stay in the window of the first.
NO_ROOM_FAULTS = [
    "capacity/create#1",
    "capacity/create#1~lost-reply/create#2~error/batch,batches#20%",
    "capacity/create#2~lost-reply/upload#1",
    "capacity/create#1~late-request=6/create#2~cut#1",
    "capacity/create#1~lost-request/create#2~webhook-duplicate",
    "lost-reply/create#1~capacity/create#2",
    "one-window=24h",
]

# Refusals of a key or a batch that are wrong and pass: the portal waits for them about 20 minutes.
PASSING_REFUSALS = [
    "vanish=50/batch#1-3~refuse-key/batch,batches#3-5",
    "refuse-key/create#1~refuse-key/content#1~lost-reply/upload#1",
    "not-found/batch#1-2~not-found/content#1~refuse-key/cancel,retry#1",
    "refuse-key/batches#1-3~lost-reply/create#1",
]

# Faults beside which a provider runs a batch only if the portal has asked for it.
FAULTS_BESIDE_SLOTS = [line for line in FAULTS + PASSING_REFUSALS if "reopen" not in line]

# Faults beside which no batch can be imported: its own file is never as long as it should be.
FAULTS_OF_EVERY_FILE = [line for line in FAULTS if "~repeat=20~" in line]

KINDS = {
    re.split("[=/#]", switch)[0]
    for line in FAULTS + NO_ROOM_FAULTS + PASSING_REFUSALS
    for switch in line.split("~")
    if switch
}
