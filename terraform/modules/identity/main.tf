# The accounts of one function: what it runs as, and what delivers to it.

locals {
  # Known before the accounts exist, so that a plan shows who gets what.
  _domain  = "${var.project_id}.iam.gserviceaccount.com"
  _runtime = "${var.account}-run@${local._domain}"
  _invoker = "${var.account}-inv@${local._domain}"
}

resource "google_service_account" "runtime" {
  project      = var.project_id
  account_id   = "${var.account}-run"
  display_name = "${var.name} runs as this"
  # Why it may do what it may: readable in the console, beside the account.
  description = substr(join(" ", [
    for permission, reason in var.needs : "${permission}: ${reason};"
  ]), 0, 256)
}

# Delivers to this function and to no other: a leaked token of one consumer
# opens no second door.
resource "google_service_account" "invoker" {
  count = var.delivered ? 1 : 0

  project      = var.project_id
  account_id   = "${var.account}-inv"
  display_name = "Delivers to ${var.name}"
  description  = "Identity of the subscription, trigger, schedule or queue of ${var.name}."
}
