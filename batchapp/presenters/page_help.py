"""The help of each page: what it is for, what to do next, and what to know of money or loss."""

from typing import Any, NamedTuple

from django import template
from django.urls import reverse

register = template.Library()

FIRST_BATCH, COST, FAILURES = "first-batch", "cost", "failures"  # articles of the guide
SPREADSHEET = "from-a-spreadsheet"


class Help(NamedTuple):
    """Three sentences, and the article of the guide that says more."""

    title: str
    purpose: str
    next_step: str
    at_stake: str
    article: str


GUIDE = Help(
    "The guide",
    "The guide explains the portal in four short articles and a list of terms.",
    "Begin with the first batch, or open the article that your question is about.",
    "Nothing that you read or open here costs or changes anything.",
    FIRST_BATCH,
)
PROMPT_TEMPLATE_KEPT = "Files that were created with it stay, and keep their prompt."
STAYS_AT_ITS_PRICE = (
    "Batches that were ordered keep the price that was shown when they were submitted."
)

# The URL name of a page -> its help.
HELP = {
    "login": Help(
        "Sign in",
        "The portal is for people with an account here.",
        "Enter your e-mail address and password; without an account, ask the operator of this "
        "portal for one.",
        "Ten wrong passwords lock the sign-in for a quarter of an hour, and batches under way go "
        "on meanwhile.",
        FIRST_BATCH,
    ),
    "home": Help(
        "Home",
        "This page shows what needs you, what is under way and what has finished in all your "
        "projects.",
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
        "Your name, your password and your own provider keys are here.",
        "Add a key to run batches on an account of your own; it is tested right away.",
        "The account behind a key pays for its batches, and only you can run batches on your own "
        "keys.",
        COST,
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
        "An admin can change the name of the project here.",
        "Enter another name and save it.",
        "The address of the project, its connection and its files stay as they are.",
        FIRST_BATCH,
    ),
    "member_list": Help(
        "Members",
        "These people see everything in the project, each with a role.",
        "An admin adds a person by e-mail address, or changes a role here.",
        "Members can run batches on the keys of the project, so its account pays for what they "
        "submit.",
        COST,
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
        "An admin adds a key here; it is tested right away and stored encrypted.",
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
    "batch_retry": Help(
        "Retry",
        "Requests that ended without a good answer can run again as a new batch.",
        "Tick the kinds that should run again, and change the model or max_tokens if that helps.",
        "The new batch has its own price, which you see first; a failure never replaces an "
        "answer.",
        FAILURES,
    ),
    "result_list": Help(
        "Results",
        "Each request of the batch is here with its answer, or with the reason why there is none.",
        "Filter by outcome, open a line to read the whole answer, or download all of them.",
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
        "The report adds up what finished batches cost, by project, person or model.",
        "Choose the days and the grouping, or take the figures with you as CSV.",
        "Batches on a sandbox are left out unless you include them, and a missing price is named.",
        COST,
    ),
    "estimate_accuracy": Help(
        "Accuracy of estimates",
        "This page compares what batches were estimated at with what they cost.",
        "Look for models that are far off before you order a large batch of them.",
        "Estimates learn from the same finished batches.",
        COST,
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
