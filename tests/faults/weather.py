"""What the provider does to the batches of a storm.

Each line is one kind of weather, written as it stands in a key. All of them can be survived: none
is about the account, and none lasts longer than the portal is told that it may. Faults of result
files have an end, so that what the provider has can be compared with what the portal has. A key
with faults of webhooks is one that listens to them.
"""

import re

WEATHER = [
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
    "late-landing=3~vanish=50/batches#3-6~vanish=50/batch#1-3~webhook-disorder",
    "",
]

KINDS = {re.split("[=/#]", switch)[0] for line in WEATHER for switch in line.split("~") if switch}
