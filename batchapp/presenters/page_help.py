"""The help of each page: what it is for, what to do next, and what to know of money or loss."""

from typing import Any, NamedTuple

from django import template
from django.urls import reverse

register = template.Library()

FIRST_BATCH, COST, FAILURES = "first-batch", "cost", "failures"  # articles of the guide
SPREADSHEET, SCRIPTS = "from-a-spreadsheet", "scripts"
PEOPLE, AUDIT, BUDGETS, REPORTS = "people", "audit", "budgets", "reports"
NOTIFICATIONS = "notifications"
WEBHOOKS = "webhooks"
APPROVALS = "approvals"
SINGLE_REQUESTS = "single-requests"


class Help(NamedTuple):
    """Three sentences, and the article of the guide that says more."""

    title: str
    purpose: str
    next_step: str
    at_stake: str
    article: str


GUIDE = Help(
    "The guide",
    "The guide explains the portal in short articles and a list of terms.",
    "Begin with the first batch, or open the article that your question is about.",
    "Nothing that you read or open here costs or changes anything.",
    FIRST_BATCH,
)
PROMPT_TEMPLATE_KEPT = "Files that were created with it stay, and keep their prompt."
STAYS_AT_ITS_PRICE = (
    "Batches that were ordered keep the price that was shown when they were submitted."
)

CONFIRM = Help(
    "Confirm that it is you",
    "Before the protection of an account is changed, its owner is asked once more.",
    "Enter what the page asks for; you then go on where you were.",
    "After five minutes you are asked again, so that nobody uses a screen that you left.",
    PEOPLE,
)
RESET = Help(
    "Forgot your password",
    "A link by e-mail lets you choose a new password.",
    "Enter your address, open the link within 24 hours, and choose a password.",
    "A new password signs you out on all other devices; batches under way go on.",
    PEOPLE,
)

FACTOR = Help(
    "Second factor",
    "A code of an app or a passkey keeps out whoever has only your password.",
    "Add an app or a passkey, and keep the recovery codes where you find them without your phone.",
    "Without the factor and the codes only an administrator can let you in again.",
    PEOPLE,
)
MAIL = Help(
    "E-mail",
    "This page shows which e-mails the portal could not send, and tries the mail server.",
    "Send a test to yourself; what the mail server answers is shown in a sentence.",
    "E-mails are kept for seven days, and whoever reads the text of one is recorded.",
    PEOPLE,
)

# The URL name of a page -> its help.
HELP = {
    "login": Help(
        "Sign in",
        "The portal is for people with an account here.",
        "Enter your e-mail address and password; without an account, ask the administrator of "
        "this portal for one.",
        "Ten wrong passwords lock the sign-in for a quarter of an hour; a new password lets you "
        "in before.",
        FIRST_BATCH,
    ),
    "first_run": Help(
        "The first run",
        "A portal without people has this page, which makes its administrator.",
        "Open it by the link that the server printed, enter your address and a password, and go "
        "on to your first project.",
        "Only the first account is made here, and nothing is sent or paid.",
        PEOPLE,
    ),
    "account_inactive": Help(
        "Account deactivated",
        "An administrator deactivated the account, so nobody can sign in with it.",
        "Ask the person who runs the portal to activate it again.",
        "Batches under way go on, and nothing of the account is deleted.",
        PEOPLE,
    ),
    "account_reauthenticate": CONFIRM,
    "account_request_reauthentication_code": CONFIRM,
    "account_confirm_reauthentication_code": CONFIRM,
    "account_signup": Help(
        "Create an account",
        "Here you make an account, if the portal is open to the domain of your address.",
        "Enter your address and a password, then open the link that is sent to you.",
        "Until the link was opened the account can do nothing and see nothing.",
        FIRST_BATCH,
    ),
    "account_email_verification_sent": Help(
        "Look into your e-mail",
        "An e-mail with a link was sent, which proves that the address is yours.",
        "Open the link within three days; to get a new one, sign in again.",
        "Until then the account can do nothing and see nothing.",
        PEOPLE,
    ),
    "account_confirm_email": Help(
        "Confirm your address",
        "The link of the e-mail led here, and proves that you can read what is sent there.",
        "Press the button, then sign in with this address.",
        "The address that you had before no longer counts after this.",
        PEOPLE,
    ),
    "account_reset_password": RESET,
    "account_reset_password_done": RESET,
    "account_reset_password_from_key": RESET,
    "account_reset_password_from_key_done": RESET,
    "invitation_accept": Help(
        "An invitation",
        "The person who is named here has invited you to a project or to the portal.",
        "Make your account, or sign in to the one you have, and accept.",
        "The link works once, and accepting costs nothing.",
        PEOPLE,
    ),
    "invitation_list": Help(
        "Invitations to a project",
        "Owners of the project invite people here and see which invitations are open.",
        "Enter an address and send it by e-mail, or make a link and pass it on yourself.",
        "Who accepts can do what the role says, and an editor can spend on the project's keys.",
        PEOPLE,
    ),
    "portal_invitation_list": Help(
        "Invitations to the portal",
        "Administrators invite people who get an account, and no project yet.",
        "Enter an address and send it by e-mail, or make a link and pass it on yourself.",
        "A link without an address makes an account for whoever opens it first.",
        PEOPLE,
    ),
    "home": Help(
        "Home",
        "This page shows what needs you, what is under way and what has finished in all your "
        "projects, first what finished while you were away.",
        "Open what needs attention first: its page says why it stopped and what to do.",
        "The amounts are those of this month, and a model without a price is named, never "
        "counted as free.",
        FIRST_BATCH,
    ),
    "palette": Help(
        "Search",
        "Here you find pages, projects, batches and files by their name.",
        "Type a part of the name, or press Ctrl and K on any page.",
        "You see only what belongs to your own projects.",
        FIRST_BATCH,
    ),
    "styleguide": Help(
        "Style page",
        "This page shows the components that the pages of the portal are built from.",
        "Use what is here before you build something new.",
        "Everything here is an example: no figure is of a real batch.",
        FIRST_BATCH,
    ),
    "profile_edit": Help(
        "Profile",
        "Your name, time zone, password and own provider keys are here, and how the portal looks "
        "in this browser.",
        "Add a key to run batches on an account of your own; it is tested right away.",
        "The account behind a key pays for its batches, and only you can run batches on your own "
        "keys.",
        COST,
    ),
    "account_email": Help(
        "Change your address",
        "You sign in with this address, and e-mails of the portal go there.",
        "Enter the new address, then open the link that is sent to it.",
        "The old address counts until the link was opened.",
        PEOPLE,
    ),
    "account_set_password": Help(
        "Choose a password",
        "So far you sign in without a password, and here you set one.",
        "Choose a password that you use nowhere else.",
        "Nothing else changes, and the other way to sign in stays.",
        PEOPLE,
    ),
    "mail_show": MAIL,
    "mail_read": MAIL,
    "mfa_reauthenticate": CONFIRM,
    "mfa_reauthenticate_webauthn": CONFIRM,
    "mfa_authenticate": FACTOR,
    "mfa_index": FACTOR,
    "mfa_activate_totp": FACTOR,
    "mfa_deactivate_totp": FACTOR,
    "mfa_view_recovery_codes": FACTOR,
    "mfa_generate_recovery_codes": FACTOR,
    "mfa_list_webauthn": FACTOR,
    "mfa_add_webauthn": FACTOR,
    "mfa_edit_webauthn": FACTOR,
    "mfa_remove_webauthn": FACTOR,
    "socialaccount_login_cancelled": Help(
        "Not signed in",
        "You left the page of your organisation before it let you in here.",
        "Go back to the sign-in, and try again or use your password.",
        "Nothing was changed.",
        FIRST_BATCH,
    ),
    "password_change": Help(
        "Change the password",
        "Here you give yourself another password.",
        "Enter the old password once and the new one twice.",
        "Your other devices are signed out, and batches under way go on.",
        FIRST_BATCH,
    ),
    "project_list": Help(
        "Projects",
        "A project keeps the files, batches, results, members and keys of a team together.",
        "Open a project, or create one if you are in none.",
        "Nobody outside a project sees its files and results.",
        FIRST_BATCH,
    ),
    "project_add": Help(
        "New project",
        "A project belongs to one connection, which is the provider that its batches run at.",
        "Give it a name and choose the connection; a sandbox is good for a first try.",
        "The connection decides who is paid and cannot be changed later, but a sandbox is never "
        "paid.",
        FIRST_BATCH,
    ),
    "project_detail": Help(
        "Project",
        "This page shows what a project spends, and its newest batches and files.",
        "Create a batch, or open one to see what came of it.",
        "The amounts are what batches cost that finished this month, not what is still under way.",
        COST,
    ),
    "project_settings": Help(
        "Settings of a project",
        "An owner changes the name and colour of the project here, and how long it keeps answers.",
        "Save another name or colour, or open what you want to do with the project.",
        "The address of the project and its connection stay as they are.",
        FIRST_BATCH,
    ),
    "project_archive": Help(
        "Archive a project",
        "In an archived project nothing new starts, and all of it can be read and downloaded.",
        "Read what is still under way, then confirm.",
        "Batches under way go on and are paid; an owner can restore the project at any time.",
        FAILURES,
    ),
    "project_transfer": Help(
        "Transfer a project",
        "Here you make another member an owner and give your own role away, in one step.",
        "Choose the new owner and what becomes of you, then confirm.",
        "Only an owner can make you an owner again.",
        PEOPLE,
    ),
    "project_delete": Help(
        "Delete a project",
        "A deleted project is gone for all its members, with its files, answers and keys.",
        "Read what goes and what stays, then type the name of the project.",
        "Nobody can bring it back; its batches and costs stay in the reports of the portal.",
        FAILURES,
    ),
    "project_leave": Help(
        "Leave a project",
        "Whoever leaves a project no longer sees its files, batches and answers.",
        "Read what is still under way on your own keys, then confirm.",
        "What runs at the provider goes on and is paid; an owner has to add you to come back.",
        COST,
    ),
    "project_retention": Help(
        "How long content is kept",
        "An owner decides here how long the project keeps requests and answers.",
        "Give a number of days, or none to keep them forever; a shorter time shows first what it "
        "deletes.",
        "What is deleted cannot be brought back; counts, tokens, cost and batches on hold stay.",
        FAILURES,
    ),
    "budget_list": Help(
        "Budgets",
        "A budget says how much may be spent in each month; here is what is left of it.",
        "An owner sets budgets, and decides what an order reserves.",
        "An order that does not fit is refused, needs approval, or is only told of.",
        BUDGETS,
    ),
    "budget_add": Help(
        "Set a budget",
        "A budget limits the project, or what one person, portal key or model costs in it.",
        "Give an amount for each month, and what happens to an order that does not fit.",
        "What batches have spent and reserved in this month counts from the start.",
        BUDGETS,
    ),
    "budget_change": Help(
        "Change a budget",
        "An owner changes the amount and the rules here, at any time.",
        "Give the new amount and save it.",
        "With less than what is reserved nothing is cancelled, but new orders do not fit.",
        BUDGETS,
    ),
    "budget_remove": Help(
        "Remove a budget",
        "A budget that is removed limits nothing any more.",
        "Confirm it; the audit keeps what the budget was.",
        "What batches have spent stays, and counts for a new budget.",
        BUDGETS,
    ),
    "project_approvals": Help(
        "Approval of batches",
        "An owner decides here which batches of the project wait for approval before they run.",
        "Give an amount, say whether the expected cost or the most counts, and save.",
        "A batch that waits costs nothing; batches that were ordered before are not stopped.",
        APPROVALS,
    ),
    "approval_list": Help(
        "Approvals",
        "Batches that need approval are listed here: those that wait for you, and those you asked "
        "for.",
        "Open one to see what it costs and why it waits, then approve or deny it.",
        "Nothing is sent or paid before an owner approves; a batch nobody approves is cancelled.",
        APPROVALS,
    ),
    "batch_approval": Help(
        "Approval of a batch",
        "An owner decides here whether a batch may run, and sees what it costs at present prices.",
        "Read the cost and the reasons, write a note if you like, and approve or deny it.",
        "An approved batch runs at once, and is paid; a denied one is cancelled and never sent.",
        APPROVALS,
    ),
    "project_cost_centre": Help(
        "Cost centre of a project",
        "An owner names the cost centre here that new batches of the project have.",
        "Type a name or a number and save it, or leave the field empty for none.",
        "Batches that exist keep their cost centre, and each order can name another.",
        COST,
    ),
    "member_list": Help(
        "Members",
        "These people see everything in the project, each with a role.",
        "An owner adds a person by e-mail address, or changes a role here.",
        "Members can run batches on the keys of the project, so its account pays for what they "
        "submit.",
        COST,
    ),
    "own_role_change": Help(
        "Change your role",
        "An owner can become an editor or a viewer, while the project has another owner.",
        "Read what you may do no longer, then choose the role.",
        "Only another owner can make you an owner again.",
        PEOPLE,
    ),
    "member_remove": Help(
        "Remove a member",
        "A person who is removed no longer sees the project.",
        "Read what is still under way on the person's own keys, then confirm.",
        "What runs at the provider goes on and is paid; nothing new is paid by that person's "
        "keys here.",
        COST,
    ),
    "key_list": Help(
        "Provider keys",
        "Every member can run batches on the provider keys of the project.",
        "An owner adds a key here; it is tested right away and stored encrypted.",
        "The account behind the key pays, and the key is never shown again.",
        COST,
    ),
    "key_replace": Help(
        "Replace a key",
        "Another secret takes the place of this one, for example after it was renewed at the "
        "provider.",
        "Paste the new key of the same account.",
        "With a key of another account, batches under way are not found, because a provider "
        "shows a batch only to the account that created it.",
        FAILURES,
    ),
    "key_remove": Help(
        "Remove a key",
        "The portal forgets the key for good.",
        "Confirm, and revoke the key at the provider if nobody should use it any more.",
        "Results of finished batches stay here, and a key that batches under way need cannot be "
        "removed.",
        FAILURES,
    ),
    "key_set_webhook": Help(
        "Webhook",
        "With a webhook the provider tells the portal at once that a batch has ended.",
        "Register the address at the provider, then paste the secret that it shows.",
        "Nothing is lost without a webhook: the portal asks the provider by itself.",
        FAILURES,
    ),
    "inbox_list": Help(
        "Inbox",
        "Here you are told how your batches ended, and what needs you.",
        "Open a notice to see its batch, or mark as read what you know already.",
        "Marking changes nothing but this list and can be undone, and notices go after 90 days.",
        NOTIFICATIONS,
    ),
    "notice_preferences": Help(
        "Notifications",
        "You choose what you are told of, and whether in the inbox, by e-mail or in the browser.",
        "Tick what you want for all projects, then choose a project that should differ.",
        "The choice is yours alone, and changes nothing for others.",
        NOTIFICATIONS,
    ),
    "notice_email_off": Help(
        "No more e-mails",
        "The link of an e-mail led here, and switches off such e-mails.",
        "Press the button; your inbox in the portal still has the notices.",
        "Nothing else changes, and you can switch them on again in your profile.",
        NOTIFICATIONS,
    ),
    "portal_key_list": Help(
        "Your portal keys",
        "With a portal key a script uses one project of the portal, with at most your role there.",
        "Make one for each script, so that you can revoke one and the others go on.",
        "Whoever has a key can do what it may do, until it expires or you revoke it.",
        SCRIPTS,
    ),
    "project_portal_key_list": Help(
        "Portal keys of a project",
        "Owners see every portal key that works in the project here, and others see their own.",
        "Look at the last use of each key, and revoke those that nobody needs.",
        "A revoked key stops at once, batches under way go on, and Revoked lists the key.",
        SCRIPTS,
    ),
    "portal_key_add": Help(
        "New portal key",
        "A portal key lets a script use this project in place of a person who signs in.",
        "Name the script, choose what it may do and when the key expires, and make the key.",
        "The next page shows the key once, and nobody can show it again.",
        SCRIPTS,
    ),
    "portal_key_rotate": Help(
        "Rotate a portal key",
        "The key gets a new secret, and keeps its name, its rights and its expiry.",
        "Choose when the old secret stops, and put the new one into the script before that.",
        "A script that sends a secret after its end gets the status 401.",
        SCRIPTS,
    ),
    "portal_key_revoke": Help(
        "Revoke portal keys",
        "A revoked key stops at once and for good.",
        "Check when each key was last used, then confirm.",
        "Scripts that use the key get the status 401, and batches under way go on.",
        SCRIPTS,
    ),
    "file_list": Help(
        "Files",
        "Each file here is JSONL: one request on each line.",
        "Upload a file, and open it to read what the check found.",
        "Uploading and checking cost nothing, and nothing is sent to the provider.",
        FIRST_BATCH,
    ),
    "file_detail": Help(
        "File",
        "This page shows what the check found in a file, and what a batch of it would cost.",
        "Correct the errors if there are any, then create a batch.",
        "The amounts are estimates, and nothing is sent before you submit a batch.",
        FIRST_BATCH,
    ),
    "file_correct": Help(
        "Correct a file",
        "The portal can put some findings right in a new file.",
        "Tick what to correct, compare before and after, and create the corrected file.",
        "The original file stays as it is.",
        FIRST_BATCH,
    ),
    "file_delete": Help(
        "Delete a file",
        "A file that no batch was created from can be deleted.",
        "Confirm if you no longer need it.",
        "The file and its findings are gone for good; a file with batches stays, because their "
        "results refer to its lines.",
        FAILURES,
    ),
    "file_origin": Help(
        "Where a file is from",
        "This page shows the table and the prompt that a file was created from.",
        "Use it to see which prompt an answer belongs to.",
        "The prompt is kept with the file, also if its prompt template or its table is deleted.",
        SPREADSHEET,
    ),
    "table_add": Help(
        "New batch from a table",
        "Each row of a CSV, TSV or Excel table, or of a data set as JSON, becomes one request.",
        "Upload a table as it is; its encoding, separator and header are detected.",
        "Nothing is sent; a table is kept with its batches, and deleted after seven days without "
        "one.",
        SPREADSHEET,
    ),
    "table_detail": Help(
        "Prompt for a table",
        "Here you write the prompt that each row of the table is put into, and say what form the "
        "answers have.",
        "Start with a prompt for a frequent task or name columns in braces, look at the first "
        "rows, then create the requests.",
        "Nothing is sent yet; the price is for all rows, if they are like the first ones.",
        SPREADSHEET,
    ),
    "table_delete": Help(
        "Delete a table",
        "A table that is no longer needed can be deleted.",
        "Save its prompt as a prompt template first if you want to use it again.",
        "Its prompt and settings go with it; a table that a batch was made of stays.",
        SPREADSHEET,
    ),
    "prompt_template_detail": Help(
        "Prompt template",
        "A prompt template is a saved prompt with its settings and all its versions.",
        "Use it on another table that has the same columns.",
        "Saving it again adds a version; files keep the prompt that they were created with.",
        FIRST_BATCH,
    ),
    "prompt_template_delete": Help(
        "Delete a prompt template",
        "A prompt template that is no longer needed can be deleted.",
        "Confirm if nobody in the project needs it.",
        PROMPT_TEMPLATE_KEPT,
        FIRST_BATCH,
    ),
    "order_start": Help(
        "New batch",
        "A batch belongs to a project, and the project decides the provider.",
        "Choose the project.",
        "Nothing is sent or paid until you submit in the last step.",
        FIRST_BATCH,
    ),
    "order_choose_file": Help(
        "Choose a file",
        "This is the first step of a batch: the file with its requests.",
        "Upload a file, choose one that is here, or create requests from a table.",
        "Checking a file costs nothing, and nothing is sent yet.",
        FIRST_BATCH,
    ),
    "order_check": Help(
        "Check",
        "The portal reads the file line by line and lists each finding.",
        "Correct the errors; warnings can be sent, but read them first.",
        "The check prevents requests that would fail, and it costs nothing.",
        FIRST_BATCH,
    ),
    "order_choose_window": Help(
        "Completion window",
        "Here you choose how long the provider may take, and see what each choice would cost.",
        "Choose the longest window that you can wait for, then the key whose account pays.",
        "The amounts are estimates; the highest one is a limit only if every request sets "
        "max_tokens.",
        COST,
    ),
    "order_review": Help(
        "Review",
        "This is the last step: it says what will be sent, on which key, and what it may cost.",
        "Read it, then submit; the form counts once, also if you send it twice.",
        "From here on the answers are paid, at the prices that are shown now.",
        COST,
    ),
    "order_readiness": Help(
        "Ready to run?",
        "The portal asks the provider whether it takes the key, offers the models and has credit "
        "for this.",
        "Put right what is blocked, then submit.",
        "These questions cost nothing, and only submitting does.",
        FAILURES,
    ),
    "batch_list": Help(
        "Batches",
        "These are the batches of all your projects.",
        "Filter by state, or open one to see how far it is.",
        "A cost with ~ is an estimate; without it the batch is over and the cost is known.",
        COST,
    ),
    "project_batch_list": Help(
        "Batches of a project",
        "These are all the batches of one project.",
        "Filter by state, or open one to see how far it is.",
        "A cost with ~ is an estimate; without it the batch is over and the cost is known.",
        COST,
    ),
    "batch_detail": Help(
        "Batch",
        "This page shows how far a batch is, what came of each request, and what it cost.",
        "Browse or download the results; if some requests failed, retry them.",
        "You may close the page: the batch goes on, and answers that are here are kept.",
        FAILURES,
    ),
    "batch_cancel": Help(
        "Cancel a batch",
        "A cancelled batch runs no more requests.",
        "Confirm to stop it; the cancelled requests can be retried later.",
        "Answers that are here are kept and paid, and requests under way at that moment may be "
        "billed too.",
        COST,
    ),
    "selection_review": Help(
        "Several batches at once",
        "This page lists what an action does to the batches that you ticked, and which are left "
        "out.",
        "Read the counts and the reasons, then confirm or go back.",
        "Nothing happens before you confirm; a retry shows its exact price on one more page.",
        COST,
    ),
    "selection_retry": Help(
        "Retries of several batches",
        "Workers write a file of the failed requests of each batch, and this page adds up their "
        "price.",
        "Wait for the files, read the total, then submit the retries.",
        "Each retry is paid once, however often you send the form.",
        COST,
    ),
    "saved_view_add": Help(
        "Save a view",
        "A view is a filter of the list of batches under a name of its own.",
        "Type a name; an editor can let everybody in the project see the view.",
        "A view shows what fits its filter at the time when you open it.",
        FIRST_BATCH,
    ),
    "saved_view_edit": Help(
        "Change a view",
        "The maker of a view and the owners of its project can change it.",
        "Change the name, or give the view the filter that the list has now.",
        "A shared view changes for everybody in the project.",
        FIRST_BATCH,
    ),
    "saved_view_delete": Help(
        "Delete a view",
        "A view that is deleted is gone for everybody who saw it.",
        "Confirm, or go back to the list.",
        "No batch changes by it.",
        FIRST_BATCH,
    ),
    "batch_label": Help(
        "Tags and cost centre of a batch",
        "Tags are short words for finding batches again; a cost centre says who bears the cost.",
        "Type tags with commas between them, or choose from those of the project.",
        "Reports use the tags and the cost centre that a batch has now, also for what was paid "
        "before.",
        COST,
    ),
    "batch_pause": Help(
        "Pause a batch",
        "A paused batch stops at the provider and waits until somebody resumes it.",
        "Confirm to pause it, and resume it on the same page.",
        "Answers are kept and paid, and the completion window runs on during the pause.",
        COST,
    ),
    "batch_resume": Help(
        "Resume a batch",
        "A paused batch goes on with the requests that have no answer yet.",
        "Confirm to go on.",
        "Answers that are here are kept and not paid again.",
        COST,
    ),
    "batch_retry_in_place": Help(
        "Retry in place",
        "The provider runs what failed or was cancelled again, in the same batch.",
        "Confirm to run it again at the same prices.",
        "Requests that have an answer are not run and not paid again.",
        FAILURES,
    ),
    "batch_try_again": Help(
        "Try again",
        "The batch stopped because of something that only a person can put right.",
        "Put right what the page names, such as the key or the credit, then try again.",
        "The batch goes on where it stopped, and nothing is submitted twice.",
        FAILURES,
    ),
    "batch_hold": Help(
        "Hold a batch",
        "A batch on hold keeps its requests and answers, whatever the rule of the project says.",
        "Put it on hold, or end the hold if they need not be kept any more.",
        "Without a hold they are deleted once the project has kept them long enough.",
        FAILURES,
    ),
    "batch_purge": Help(
        "Delete content",
        "An owner can delete the requests and answers of a batch before the rule does it.",
        "Read what goes, tick that it goes for good, and delete it.",
        "Nobody can bring them back; counts, tokens, cost and the timeline stay.",
        FAILURES,
    ),
    "batch_retry": Help(
        "Retry",
        "Requests that ended without a good answer can run again as a new batch.",
        "Tick the kinds that should run again, and change the model or max_tokens if that helps.",
        "The new batch has its own price, which you see first; a failure never replaces an "
        "answer.",
        FAILURES,
    ),
    "answer_table_add": Help(
        "Use answers as a table",
        "The answers of this batch become the rows of a table, and a second prompt asks about "
        "them.",
        "Choose the results, make the table, and write the second prompt with its columns.",
        "Making a table costs nothing; the second batch has its own price, which you see first.",
        SPREADSHEET,
    ),
    "batch_compare_choose": Help(
        "Compare with",
        "The answers of this batch are compared with those of up to three others, by custom_id.",
        "Tick the batches, those with the same requests come first, and compare.",
        "Comparing costs nothing and changes nothing.",
        FAILURES,
    ),
    "batch_compare": Help(
        "Comparison",
        "Here you see how often batches agree, and each custom_id with its answers side by side.",
        "Read where they disagree, choose a field, or say what counts as right.",
        "The address keeps the comparison, for everyone who may see all of its batches.",
        FAILURES,
    ),
    "batch_problems": Help(
        "Problems",
        "Requests without a good answer are here in groups: the same outcome, status and message.",
        "Read three of a group, then use its button: retry only these, or correct the file.",
        "What a retry has answered is left out, and a retry takes one group or all.",
        FAILURES,
    ),
    "result_list": Help(
        "Results",
        "Each request of the batch is here with its answer, or with the reason why there is none.",
        "Press a bar below the name of a column to filter by it, or the name to sort, and open a "
        "line to read the whole answer.",
        "Answers that are cut short, refused or empty count as answers and are paid.",
        FAILURES,
    ),
    "result_detail": Help(
        "Result",
        "This is one request beside its answer.",
        "Go on to the next result with j and back with k.",
        "The tokens are those that the provider counted, and the cost is worked out from them.",
        COST,
    ),
    "export_list": Help(
        "Export results",
        "Here the results of a batch become a file: your table with the answers behind it, or "
        "whole requests and results.",
        "Choose a format, tick the columns, and download the file when it is ready.",
        "An export costs nothing and changes no result; its file is deleted after seven days and "
        "can be written again.",
        SPREADSHEET,
    ),
    "project_export_list": Help(
        "Exports",
        "This list has the exports of all batches of the project, the newest first.",
        "Download a file, export it again with the results of today, or open its batch.",
        "A file is deleted after seven days; its line stays, so that it can be written again.",
        SPREADSHEET,
    ),
    "direct_request_list": Help(
        "Single requests",
        "This list has the requests that scripts sent one at a time, the newest first.",
        "Filter by person, portal key, model, state or days, or take the list with you as CSV.",
        "The cost is what the answer reported; a refusal of the provider is free.",
        SINGLE_REQUESTS,
    ),
    "export_link": Help(
        "Link to a file",
        "A link to the file of an export, for other people of the project.",
        "Copy it into a message: who opens it signs in, if need be, and gets the file.",
        "It works until the file is deleted, and opens nothing to people outside the project.",
        SPREADSHEET,
    ),
    "unmatched_line_list": Help(
        "Unmatched lines",
        "These lines of the result files answer no request, or are a second answer to one.",
        "Ask the provider about them if they look like answers that you miss.",
        "They are kept as they came, and count for nothing here.",
        FAILURES,
    ),
    "import_list": Help(
        "Import a batch",
        "A batch that was made elsewhere with the same provider key can be followed from here.",
        "Choose the key, tick the batches, and import them.",
        "Importing creates, changes and cancels nothing at the provider, and nothing is paid "
        "again.",
        COST,
    ),
    "cost_report": Help(
        "Report",
        "The report adds up what finished batches cost, by project, person, model or label.",
        "Choose the days, the lines and the columns, or take the table with you as CSV.",
        "Batches on a sandbox are left out unless you include them, and a missing price is named.",
        REPORTS,
    ),
    "audit_log": Help(
        "Audit",
        "The audit lists who changed, downloaded or signed in to what, when and from where.",
        "Narrow it by person, kind, days or a name, and open an event to see what changed.",
        "Nobody can change or delete an event here, and a change in the database shows.",
        AUDIT,
    ),
    "project_audit_log": Help(
        "Audit of a project",
        "Owners see here who changed or downloaded what in their project, and when.",
        "Open an event to see what it was before and after, or take the list with you as CSV.",
        "Network addresses of colleagues are shown only to administrators and auditors.",
        AUDIT,
    ),
    "audit_event_detail": Help(
        "Event of the audit",
        "An event keeps the names and values as they were when it happened.",
        "Compare the values before and after, or go back to the list for what came next.",
        "A seal proves the event: if somebody changes it in the database, a command finds it.",
        AUDIT,
    ),
    "reliability": Help(
        "Reliability",
        "This page tells by model how many requests failed, and how many batches were late.",
        "Press a figure to see the batches that it counts.",
        "Answers that were cut short and retries are paid for like any other request.",
        FAILURES,
    ),
    "statement_list": Help(
        "Statements",
        "This page has what your projects were charged, month by month.",
        "Open a month, or take its lines with you as CSV.",
        "A closed month never changes, and later costs are adjustments on the next statement.",
        REPORTS,
    ),
    "statement_month": Help(
        "Statements of a month",
        "This page adds up one month by project or by cost centre.",
        "Open a project to read its statement, or a cost centre to see its projects.",
        "A month that is over is closed by the portal a few days later, or by an administrator.",
        REPORTS,
    ),
    "statement_detail": Help(
        "Statement",
        "This is what one project was charged for one month, at the prices of the time.",
        "Follow a line to its batch, print the statement, or take its lines with you as CSV.",
        "A mistake is corrected by an adjustment on the next statement, never on a closed one.",
        REPORTS,
    ),
    "statement_recipient_list": Help(
        "Statements by e-mail",
        "This page has the addresses to which the statement of each month is mailed.",
        "Add the address of somebody without an account, such as an accountant.",
        "The e-mail takes names of batches, people and models out of the portal each month.",
        REPORTS,
    ),
    "cost_centre_recipient_list": Help(
        "Statements of cost centres by e-mail",
        "This page has the addresses to which the statements of cost centres are mailed.",
        "Add an address and its cost centre, and tell its reader to confirm it.",
        "The e-mail has what all projects charged to the cost centre, and names people.",
        REPORTS,
    ),
    "statement_mail_confirm": Help(
        "Statements by e-mail",
        "This page lets the reader of an address confirm that statements are mailed there.",
        "Press the button, which needs no account.",
        "Each e-mail has the costs of one month, and a link to unsubscribe.",
        REPORTS,
    ),
    "statement_mail_stop": Help(
        "No more statements",
        "This page lets the reader of an address unsubscribe from statements.",
        "Press the button, which needs no account.",
        "Nothing is mailed there again before somebody adds the address and it is confirmed.",
        REPORTS,
    ),
    "statement_month_close": Help(
        "Close a month",
        "This page says what the statements would hold now, and what is still open.",
        "Close the month, or wait until the portal closes it a few days after its end.",
        "A closed month cannot be opened again.",
        REPORTS,
    ),
    "estimate_accuracy": Help(
        "Accuracy of estimates",
        "This page compares what batches were estimated at with what they cost.",
        "Look for models that are far off before you order a large batch of them.",
        "Estimates learn from the same finished batches.",
        REPORTS,
    ),
    "price_list": Help(
        "Prices",
        "This is the price table: USD per million tokens by model and completion window, each "
        "from a day on.",
        "Add a price for a model that has none, or correct one that changed.",
        STAYS_AT_ITS_PRICE,
        COST,
    ),
    "unpriced_model_list": Help(
        "Seen without a price",
        "These models are in files or batches, but the price table does not know them.",
        "Add the price of each model that you use.",
        "Until then the cost is shown as no price, and is never counted as free.",
        COST,
    ),
    "price_import": Help(
        "Import prices",
        "Many prices can be read at once, from a CSV or from the provider.",
        "Compare first: you see each change before anything is written.",
        "No price is deleted, and batches that were ordered keep theirs.",
        COST,
    ),
    "system_status": Help(
        "System",
        "This page shows whether the portal and its services work, and what waits for an "
        "administrator.",
        "Begin with what needs attention; each line says what solves it.",
        "Nothing here changes a batch, and no password or key is shown.",
        FAILURES,
    ),
    "retention_preview": Help(
        "What rules would delete",
        "This page lists, for each project with a rule, what is kept long enough.",
        "A worker deletes it within the hour; owners change the rules in the settings of their "
        "projects.",
        "What is deleted does not come back; counts, tokens and cost stay.",
        COST,
    ),
    "connection_list": Help(
        "Connections",
        "A connection is a provider that runs batches: its address, limits and abilities.",
        "Open one to see why it does not answer, or add another provider.",
        "The account behind the key of a project pays for its batches.",
        COST,
    ),
    "connection_add": Help(
        "Add a connection",
        "Here you describe a provider with an API like OpenAI's batches.",
        "Enter its address, then test it, and give it prices and models.",
        "Without prices, batches run and their cost is unknown.",
        COST,
    ),
    "connection_detail": Help(
        "A connection",
        "This page shows how a connection fares, what uses it, and its limits.",
        "Read the health first; a test asks the provider once.",
        "A test costs nothing and changes nothing.",
        FAILURES,
    ),
    "connection_edit": Help(
        "Edit a connection",
        "Here you change the address, windows, limits and abilities of a connection.",
        "What batches under way need cannot be taken away until they have ended.",
        "After a change of the address all its keys must be entered again.",
        FAILURES,
    ),
    "connection_set_platform_key": Help(
        "Platform key",
        "A platform key asks for balance, prices and models, and cannot run batches.",
        "Paste the key; it is stored encrypted, for the present address alone.",
        "Without one, the balance is asked with the key of the batch.",
        COST,
    ),
    "connection_archive": Help(
        "Archive a connection",
        "Nothing new begins on an archived connection.",
        "Archive it when a provider is no longer used; you can use it again later.",
        "Batches under way end as usual, and results, prices and keys stay.",
        FAILURES,
    ),
    "connection_remove": Help(
        "Remove a connection",
        "A connection that no project, key or batch uses can be removed.",
        "Archive a connection that is used.",
        "Its prices and models are deleted with it.",
        FAILURES,
    ),
    "person_list": Help(
        "People",
        "This page lists everybody with an account here, and their role in the portal.",
        "Open the menu of a person to change the role or to send a link for a new password.",
        "A role in the portal shows no files or answers: that needs a membership.",
        PEOPLE,
    ),
    "person_deactivate": Help(
        "Deactivate a person",
        "A person who left is signed out everywhere and cannot sign in any more.",
        "Choose what becomes of the batches that run on the person's own keys, then deactivate.",
        "Batches that go on are paid by the account behind the person's key.",
        PEOPLE,
    ),
    "person_remove_factors": Help(
        "Remove second factors",
        "A person who lost the phone and the recovery codes signs in by the password again.",
        "Make sure that it is this person who asks, by voice or face to face, then remove them.",
        "An e-mail tells the person, and the person is signed out everywhere.",
        PEOPLE,
    ),
    "person_set_role": Help(
        "Role in the portal",
        "Administrators manage people, connections and prices; auditors read all reports.",
        "Choose the role; the change is recorded.",
        "The portal keeps at least one administrator.",
        PEOPLE,
    ),
    "portal_project_list": Help(
        "All projects",
        "This page lists every project with its owners, without its files and answers.",
        "Join a project as an owner if its members need help.",
        "That you joined is recorded, and its members see it.",
        PEOPLE,
    ),
    "portal_project_join": Help(
        "Join a project",
        "As an owner you see the files and answers of the project, and may change all of it.",
        "Join only to help, and leave on the page of its members afterwards.",
        "Its members see that you joined.",
        PEOPLE,
    ),
    "offered_model_list": Help(
        "Models",
        "These are the models of each connection: what they take, how much they read and write, "
        "and the source of each fact.",
        "Import what the provider tells, or add a model that the list lacks.",
        "The check of a file warns of requests that their model cannot answer; what is empty here "
        "is not checked.",
        FAILURES,
    ),
    "offered_model_import": Help(
        "Import models",
        "Many models can be read at once: from a CSV, from the provider, or those of Doubleword "
        "that the portal knows.",
        "Ask the provider first, or edit the CSV that the list gives you and import it.",
        "A CSV replaces all facts of the models it names, but prices and batches stay.",
        FAILURES,
    ),
    "offered_model_add": Help(
        "Add a model",
        "A model of a connection gets its facts here, by the exact name that requests give it.",
        "Copy the facts from the model's card or the provider's page, and name that page.",
        "Leave empty what no source states: what is empty is not checked.",
        FAILURES,
    ),
    "offered_model_edit": Help(
        "Edit a model",
        "The facts of one model can be changed here; its name stays.",
        "Upload a file again if it should be compared with the new facts.",
        "A wrong endpoint makes the check refuse files that the provider would take.",
        FAILURES,
    ),
    "offered_model_remove": Help(
        "Remove a model",
        "This deletes what is known of one model at a connection.",
        "Remove a model that the provider no longer offers.",
        "Its prices stay, and so do files and batches.",
        FAILURES,
    ),
    "price_add": Help(
        "Add a price",
        "A model or a pattern gets a price here, for one completion window, from a day on.",
        "Copy the amounts from the provider's price list.",
        STAYS_AT_ITS_PRICE,
        COST,
    ),
    "price_correct": Help(
        "Correct a price",
        "A new price takes the place of this one.",
        "Enter the right amounts, and when they begin.",
        STAYS_AT_ITS_PRICE,
        COST,
    ),
    "price_end": Help(
        "End a price",
        "From a moment on this price no longer applies.",
        "Check which price the model has afterwards, then confirm.",
        STAYS_AT_ITS_PRICE,
        COST,
    ),
    "price_withdraw": Help(
        "Withdraw a price",
        "A price that was only announced can be withdrawn.",
        "Confirm if it will not come into force.",
        "No batch was ordered at it.",
        COST,
    ),
    "webhook_list": Help(
        "Webhooks",
        "Webhooks tell channels of chat programs, or your own programs, what happens here.",
        "Make a webhook, and send a test to see that its messages arrive.",
        "Names, counts and costs leave the portal this way; prompts, answers and keys never do.",
        WEBHOOKS,
    ),
    "webhook_add": Help(
        "New webhook",
        "A receiver outside of the portal gets the notices that you tick, from now on.",
        "Copy the address from the receiver; for a program, give it the secret of the next page.",
        "Whoever owns the address learns the names, counts and costs of the project's batches.",
        WEBHOOKS,
    ),
    "webhook_edit": Help(
        "Change a webhook",
        "Name, address and kinds of notices can be changed; who gets the messages stays.",
        "Leave the address empty to keep it, since it is not shown again.",
        "Messages that wait go to the new address.",
        WEBHOOKS,
    ),
    "webhook_detail": Help(
        "A webhook and its messages",
        "This page shows what was sent to one webhook, what waits, and what was given up.",
        "Open a message to see each attempt and what the receiver answered.",
        "A message may arrive twice, always with the same id; their order is not promised.",
        WEBHOOKS,
    ),
    "webhook_message_detail": Help(
        "A message of a webhook",
        "This page shows what is sent, and when each attempt was made and how it ended.",
        "If the receiver has taken none, mend it there, and send the message again.",
        "A message that is sent again has the id that it had, so that nothing is counted twice.",
        WEBHOOKS,
    ),
    "webhook_rotate": Help(
        "Rotate the secret of a webhook",
        "The receiver gets another secret with which it checks messages.",
        "Choose how long both secrets sign, and give the new one to the receiver meanwhile.",
        "After that time a receiver that knows only the old secret refuses every message.",
        WEBHOOKS,
    ),
    "webhook_replay": Help(
        "Send failed messages again",
        "All messages of a webhook that were given up are sent once more.",
        "Mend the receiver first, and confirm.",
        "Each has the id that it had, by which the receiver can tell that it is not new.",
        WEBHOOKS,
    ),
    "webhook_delete": Help(
        "Delete a webhook",
        "A receiver gets nothing more, and its log is deleted.",
        "Confirm, or switch the webhook off instead, which can be undone.",
        "Its secret is deleted for good; a webhook that you make later has another one.",
        WEBHOOKS,
    ),
    "guide_list": GUIDE,
    "guide_article": GUIDE,
    "guide_terms": GUIDE,
    "guide_help": GUIDE,
}


@register.simple_tag(takes_context=True)
def page_help_url(context: dict[str, Any]) -> str:
    """Return the address of the help of the page that is shown; of the guide for an error page."""
    match = getattr(context.get("request"), "resolver_match", None)
    name = match.url_name if match and match.url_name in HELP else "guide_list"
    return reverse("guide_help", args=[name])
