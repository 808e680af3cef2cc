# A topic of domain events.

resource "google_pubsub_topic" "this" {

  project = var.project_id
  name    = var.name
  # Document 000: events can be replayed for seven days.
  message_retention_duration = "604800s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}
